// The walk over the grid: bricks of voxels, one task each, and the rows of voxels in them.
#pragma once

#include <algorithm>
#include <cfloat>
#include <cstdint>
#include <vector>

#include "pixels.hpp"
#include "plane.hpp"

namespace usfast::interpolation {

// Long in x, along which a row is worked on at once; small enough that few frames come near.
constexpr std::int64_t brick_x = 32, brick_y = 16, brick_z = 8;

struct Box {
    Vector centre, half;  // voxel indices
};

struct Row {
    std::int64_t first, last;  // voxels [first, last) along x
    double y, z;
    float* volume;  // of voxel `first`; zero before
    float* weight;

    void set(std::int64_t x, const Sample& s) const {
        volume[x - first] = static_cast<float>(s.value);
        // A weight that float cannot hold still says that there is a value.
        weight[x - first] =
            static_cast<float>(std::clamp(s.weight, static_cast<double>(FLT_MIN), static_cast<double>(FLT_MAX)));
    }
};

// Voxels [first, last) of a row where |base + slope x| <= limit, give or take one.
struct Span {
    std::int64_t first, last;
};

inline Span within(double base, double slope, double limit, const Row& row) {
    const auto first = static_cast<double>(row.first), end = static_cast<double>(row.last - 1);
    if (!(std::abs(slope) > 0)) return std::abs(base) <= limit ? Span{row.first, row.last} : Span{0, 0};
    const double middle = -base / slope, half = std::abs(limit / slope);
    const double low = std::max(first, middle - half - 1), high = std::min(end, middle + half + 1);
    return low <= high ? Span{static_cast<std::int64_t>(low), static_cast<std::int64_t>(high) + 1} : Span{0, 0};
}

// Calls near(box, candidate) for each candidate in [0, candidates) and then, for each row of the brick,
// work(row, list of those that said yes, worker).
template <typename Near, typename Work>
bool for_each_row(const GridSize& size, std::int64_t candidates, int threads, float* volume, float* weight,
                  const Progress& progress, const Near& near, const Work& work) {
    const std::int64_t nx = (size.x + brick_x - 1) / brick_x, ny = (size.y + brick_y - 1) / brick_y;
    const std::int64_t nz = (size.z + brick_z - 1) / brick_z;
    std::vector<std::vector<std::int64_t>> lists(static_cast<std::size_t>(threads));
    for (auto& list : lists) list.reserve(static_cast<std::size_t>(candidates));
    return parallel_for(
        nx * ny * nz, threads,
        [&](std::int64_t task, int worker) {
            const std::int64_t x0 = task % nx * brick_x, x1 = std::min(x0 + brick_x, size.x);
            const std::int64_t y0 = task / nx % ny * brick_y, y1 = std::min(y0 + brick_y, size.y);
            const std::int64_t z0 = task / nx / ny * brick_z, z1 = std::min(z0 + brick_z, size.z);
            const auto centre = [](std::int64_t a, std::int64_t b) { return 0.5 * static_cast<double>(a + b - 1); };
            const auto half = [](std::int64_t a, std::int64_t b) { return 0.5 * static_cast<double>(b - a - 1); };
            const Box box{{centre(x0, x1), centre(y0, y1), centre(z0, z1)}, {half(x0, x1), half(y0, y1), half(z0, z1)}};
            auto& list = lists[static_cast<std::size_t>(worker)];
            list.clear();
            for (std::int64_t i = 0; i < candidates; ++i)
                if (near(box, i)) list.push_back(i);
            for (std::int64_t z = z0; z < z1; ++z)
                for (std::int64_t y = y0; y < y1; ++y) {
                    const std::int64_t at = (z * size.y + y) * size.x + x0;
                    std::fill(volume + at, volume + at + (x1 - x0), 0.0f);
                    std::fill(weight + at, weight + at + (x1 - x0), 0.0f);
                    const Row row{x0, x1, static_cast<double>(y), static_cast<double>(z), volume + at, weight + at};
                    if (!list.empty()) work(row, list, worker);
                }
        },
        progress);
}

// Could a voxel of the box lie within `reach` mm of the frame's plane, and over its pixels or `margin` mm beside them?
template <typename T>
bool comes_near(const Plane& p, const Box& box, double reach, double margin, const Pixels<T>& pixels) {
    if (!p.usable) return false;
    const Vector& c = box.centre;
    const auto meets = [&](const Affine& f, double low, double high) {
        const double middle = f(c.x, c.y, c.z), spread = f.spread(box.half) * (1 + 1e-9) + 1e-9;
        return middle + spread >= low && middle - spread <= high;
    };
    const double beside_u = 0.5 + margin * length(p.dual_u), beside_v = 0.5 + margin * length(p.dual_v);
    return meets(p.distance, -reach, reach) && meets(p.u, -beside_u, static_cast<double>(pixels.width()) + beside_u) &&
           meets(p.v, -beside_v, static_cast<double>(pixels.height()) + beside_v);
}

}  // namespace usfast::interpolation
