// Methods that project a voxel at right angles onto the frames nearest to it.
#include <array>
#include <limits>

#include "brick.hpp"
#include "families.hpp"

namespace usfast::interpolation {
namespace {

constexpr double endless = std::numeric_limits<double>::infinity();

// The nearest frame found so far for each voxel of a row.
struct Nearest {
    std::array<double, brick_x> distance;
    std::array<std::int64_t, brick_x> frame;

    void clear() {
        distance.fill(endless);
        frame.fill(-1);
    }
};

// Takes frame i for the voxels of the row that lie within reach and over a pixel that counts, where it is nearer than
// what there is: on a tie the first frame stays. Voxels on one side of the frame go to `ahead`, the others to `behind`.
template <typename T>
void offer(const Pixels<T>& pixels, const Plane& p, std::int64_t i, double reach, const Row& row, Nearest& ahead,
           Nearest& behind) {
    const double distance = p.distance.row(row.y, row.z);
    const Span span = within(distance, p.distance.x, reach, row);
    if (span.first >= span.last) return;
    const double u_row = p.u.row(row.y, row.z), v_row = p.v.row(row.y, row.z);
    for (std::int64_t x = span.first; x < span.last; ++x) {
        const auto at = static_cast<double>(x);
        const double signed_distance = distance + p.distance.x * at, d = std::abs(signed_distance);
        Nearest& best = signed_distance >= 0 ? ahead : behind;
        const auto slot = static_cast<std::size_t>(x - row.first);
        if (!(d <= reach && d < best.distance[slot])) continue;
        const double u = u_row + p.u.x * at, v = v_row + p.v.x * at;
        if (!pixels.inside(u, v) || !pixels.counts(i, u, v)) continue;
        best.distance[slot] = d;
        best.frame[slot] = i;
    }
}

// Weighted by the inverse of the distance: 1/a to 1/b is b to a, which also holds on the frame itself.
Sample between(const Sample& a, double to_a, const Sample& b, double to_b) {
    const double from_a = a.weight * to_b, from_b = b.weight * to_a, total = from_a + from_b;
    return total > 0 ? Sample{(from_a * a.value + from_b * b.value) / total, total / (to_a + to_b)} : a;
}

template <typename T>
void nearest_row(const Pixels<T>& pixels, const std::vector<Plane>& planes, const std::vector<std::int64_t>& list,
                 double reach, const Row& row) {
    Nearest best;
    best.clear();
    for (const std::int64_t i : list) offer(pixels, planes[static_cast<std::size_t>(i)], i, reach, row, best, best);
    for (std::int64_t x = row.first; x < row.last; ++x) {
        const std::int64_t i = best.frame[static_cast<std::size_t>(x - row.first)];
        if (i < 0) continue;
        const Plane& p = planes[static_cast<std::size_t>(i)];
        const auto at = static_cast<double>(x);
        row.set(x, pixels.nearest(i, p.u.row(row.y, row.z) + p.u.x * at, p.v.row(row.y, row.z) + p.v.x * at));
    }
}

template <typename T>
void inverse_distance_row(const Pixels<T>& pixels, const std::vector<Plane>& planes,
                          const std::vector<std::int64_t>& list, double reach, const Row& row) {
    Nearest ahead, behind;
    ahead.clear();
    behind.clear();
    for (const std::int64_t i : list) offer(pixels, planes[static_cast<std::size_t>(i)], i, reach, row, ahead, behind);
    for (std::int64_t x = row.first; x < row.last; ++x) {
        const auto slot = static_cast<std::size_t>(x - row.first);
        const auto sample = [&](std::int64_t i) {
            const Plane& p = planes[static_cast<std::size_t>(i)];
            const auto at = static_cast<double>(x);
            return pixels.bilinear(i, p.u.row(row.y, row.z) + p.u.x * at, p.v.row(row.y, row.z) + p.v.x * at);
        };
        const std::int64_t a = ahead.frame[slot], b = behind.frame[slot];
        if (a >= 0 && b >= 0)
            row.set(x, between(sample(a), ahead.distance[slot], sample(b), behind.distance[slot]));
        else if (a >= 0 || b >= 0)
            row.set(x, sample(a >= 0 ? a : b));
    }
}

}  // namespace

template <typename T>
bool interpolate_projections(const FrameStack& frames, const GridSize& size, const InterpolateOptions& options,
                             float* volume, float* weight, const Progress& progress) {
    const Pixels<T> pixels(frames);
    const std::vector<Plane> planes = planes_of(frames, options.spacing);
    const bool nearest = options.method == VoxelMethod::voxel_nearest;
    return for_each_row(
        size, frames.used, options.threads, volume, weight, progress,
        [&](const Box& box, std::int64_t i) {
            return comes_near(planes[static_cast<std::size_t>(i)], box, options.reach, 0, pixels);
        },
        [&](const Row& row, const std::vector<std::int64_t>& list, int) {
            nearest ? nearest_row(pixels, planes, list, options.reach, row)
                    : inverse_distance_row(pixels, planes, list, options.reach, row);
        });
}

template bool interpolate_projections<std::uint8_t>(const FrameStack&, const GridSize&, const InterpolateOptions&,
                                                    float*, float*, const Progress&);
template bool interpolate_projections<float>(const FrameStack&, const GridSize&, const InterpolateOptions&, float*,
                                             float*, const Progress&);

}  // namespace usfast::interpolation
