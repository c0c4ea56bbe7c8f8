#include "usfast/distance_transform.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "envelope.hpp"
#include "pack.hpp"

namespace usfast {

namespace {

struct Strip {
    std::vector<double> squared;
    std::vector<std::int64_t> site;
};

}  // namespace

void distance_transform(const std::uint8_t* mask, const Index3& shape, const std::array<double, 3>& spacing,
                        bool to_structure, double* distance, std::int64_t* site, int threads,
                        const Progress& progress) {
    const MaskView<std::uint8_t> view{mask, shape, {shape[1] * shape[2], shape[2], 1}, {0, 0, 0}, shape};
    const BitVolume bits = pack(view, to_structure ? -1 : 0, threads);
    const std::int64_t nz = shape[0], ny = shape[1], nx = shape[2], rows = nz * ny;
    std::vector<Strip> scratch(static_cast<std::size_t>(threads));
    parallel_for(
        (nx + kStrip - 1) / kStrip, threads,
        [&](std::int64_t task, int worker) {
            Strip& strip = scratch[static_cast<std::size_t>(worker)];
            strip.squared.resize(static_cast<std::size_t>(rows * kStrip));
            strip.site.resize(site ? strip.squared.size() : 0);
            std::int64_t* sites = site ? strip.site.data() : nullptr;
            const std::int64_t x0 = task * kStrip, width = std::min(kStrip, nx - x0);
            Envelope envelope(std::max(nz, ny));
            plane_distances(bits, x0, spacing, envelope, strip.squared.data(), sites);
            for (std::int64_t c = 0; c < ny * kStrip; ++c)
                envelope.apply(strip.squared.data() + c, nz, ny * kStrip, spacing[0], sites ? sites + c : nullptr);
            for (std::int64_t r = 0; r < rows; ++r)
                for (std::int64_t i = 0; i < width; ++i) {
                    const double squared = strip.squared[static_cast<std::size_t>(r * kStrip + i)];
                    const bool found = squared < kFar;
                    distance[r * nx + x0 + i] = found ? std::sqrt(squared) : std::numeric_limits<double>::infinity();
                    if (site) site[r * nx + x0 + i] = found ? sites[r * kStrip + i] : -1;
                }
        },
        progress);
}

}  // namespace usfast
