#include "tiles.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace usfast {
namespace {

constexpr std::int64_t most_bytes = std::int64_t{24} << 20;  // cells of a tile, far below the results of a large grid

// Axes in the order of their share in a step of one column, then of one row.
void sort_axes(const FrameStack& frames, int* order) {
    double step[2][3] = {};
    for (std::int64_t n = 0; n < frames.used; ++n)
        for (int a = 0; a < 3; ++a)
            for (int d = 0; d < 2; ++d) step[d][a] += std::abs(frames.image_to_voxel[12 * n + 4 * a + d]);
    std::iota(order, order + 3, 0);
    std::stable_sort(order, order + 3, [&](int a, int b) { return step[0][a] > step[0][b]; });
    if (step[1][order[2]] > step[1][order[1]]) std::swap(order[1], order[2]);
}

}  // namespace

Tiles::Tiles(const FrameStack& frames, const GridSize& grid, const CompoundOptions& options, std::int64_t cell_bytes)
    : size{grid.x, grid.y, grid.z},
      pad(options.method == Method::linear     ? 1
          : options.method == Method::gaussian ? 2 * options.radius
                                               : 0) {
    sort_axes(frames, order);
    // Neighbours share a border as wide as the kernel, whose pixels both add. One frame touches few planes of a tile:
    // these, not the whole tile, are to stay near the core.
    const std::int64_t wanted[3] = {4096, 32, pad > 0 ? 64 : 16};
    // The results lie along x: short pieces of their rows would be written a few bytes at a time.
    for (int i = 0; i < 3; ++i)
        extent[order[i]] = std::min(size[order[i]], order[i] == 0 ? std::max<std::int64_t>(wanted[i], 64) : wanted[i]);
    const auto halve_longest = [this](std::int64_t shortest, int from) {
        const int* longest =
            std::max_element(order + from, order + 3, [this](int a, int b) { return extent[a] < extent[b]; });
        if (extent[*longest] <= shortest) return false;
        extent[*longest] = (extent[*longest] + 1) / 2;
        return true;
    };
    while (count() < 4 * options.threads && halve_longest(8 + 4 * pad, 1)) {
    }
    while (cells() * cell_bytes > most_bytes && halve_longest(1, extent[order[0]] > 256 ? 1 : 0)) {
    }
}

Slab Tiles::slab(std::int64_t task, void* cells) const {
    Slab slab{{}, {}, pad, cells, {order[0], order[1], order[2]}};
    for (const int a : order) {
        slab.begin[a] = task % along(a) * extent[a];
        slab.end[a] = std::min(slab.begin[a] + extent[a], size[a]);
        task /= along(a);
    }
    return slab;
}

}  // namespace usfast
