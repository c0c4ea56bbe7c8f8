#include "usfast/surface.hpp"

#include "nearest.hpp"
#include "outline.hpp"
#include "search.hpp"

namespace usfast {

namespace {

// Both structures' surface elements, and what one of them weighs.
struct Surfaces {
    BitVolume a, b;
};

Surfaces outlines(const BitVolume& a, const BitVolume& b, const Box& box, const SurfaceOptions& o) {
    if (o.surfels) return {border_corners(a, box, o.planar, o.threads), border_corners(b, box, o.planar, o.threads)};
    return {border_voxels(a, box, o), border_voxels(b, box, o)};
}

void keep(BitVolume& surface, const BitVolume& only, const Box& box, const SurfaceOptions& o) {
    o.surfels ? keep_corners(surface, only, box, o.planar) : keep_voxels(surface, only, box);
}

Weigh area_of(const BitVolume& structure, const Box& box, const SurfaceOptions& o) {
    if (!o.surfels) return {};
    return [&structure, box, &o](std::int64_t z, std::int64_t y, std::int64_t x) {
        return o.area[static_cast<std::size_t>(corner_code(structure, box, o.planar, z, y, x))];
    };
}

void count_voxels(const BitVolume& a, const BitVolume& b, int threads, SurfaceDistances& result) {
    std::vector<std::array<std::int64_t, 3>> part(static_cast<std::size_t>(a.nz));
    parallel_for(a.nz, threads, [&](std::int64_t z, int) {
        surface_table().count(a.row(z, 0), b.row(z, 0), a.ny * a.pitch - 1, part[static_cast<std::size_t>(z)].data());
    });
    for (const auto& p : part) result.voxels_a += p[0], result.voxels_b += p[1], result.voxels_both += p[2];
}

}  // namespace

template <typename T>
SurfaceDistances surface_distances(const MaskView<T>& a, const MaskView<T>& b, const MaskView<std::uint8_t>& only,
                                   std::int64_t label, const SurfaceOptions& o, const Progress& progress) {
    SurfaceDistances result;
    const BitVolume in_a = pack(a, label, o.threads), in_b = pack(b, label, o.threads);
    count_voxels(in_a, in_b, o.threads, result);
    const Box box = common_box(in_a, in_b, o.threads);
    if (box.empty()) return result;
    const Surfaces to = outlines(in_a, in_b, box, o);
    const Weigh weigh_a = area_of(in_a, box, o), weigh_b = area_of(in_b, box, o);
    if (!only.data) {
        result.a_to_b = nearest_distances(to.a, to.b, o, weigh_a, progress);
        result.b_to_a = nearest_distances(to.b, to.a, o, weigh_b, progress);
        return result;
    }
    Surfaces from = to;
    const BitVolume marked = pack(only, -1, o.threads);
    keep(from.a, marked, box, o), keep(from.b, marked, box, o);
    result.a_to_b = nearest_distances(from.a, to.b, o, weigh_a, progress);
    result.b_to_a = nearest_distances(from.b, to.a, o, weigh_b, progress);
    return result;
}

#define USFAST_INSTANTIATE(T)                                                                                          \
    template SurfaceDistances surface_distances(const MaskView<T>&, const MaskView<T>&, const MaskView<std::uint8_t>&, \
                                                std::int64_t, const SurfaceOptions&, const Progress&)
USFAST_INSTANTIATE(std::uint8_t);
USFAST_INSTANTIATE(std::uint16_t);
USFAST_INSTANTIATE(std::int16_t);
USFAST_INSTANTIATE(std::int32_t);
USFAST_INSTANTIATE(std::int64_t);

}  // namespace usfast
