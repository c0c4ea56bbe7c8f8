// How a grid is cut for the threads: boxes near the core, long along the rows of the frames.
#pragma once

#include "scatter.hpp"

namespace usfast {

struct Tiles {
    int order[3];            // axes by how fast they pass: columns of the image, rows, frames
    std::int64_t size[3];    // of the grid, voxels along x, y, z
    std::int64_t extent[3];  // of a tile, along x, y, z
    std::int64_t pad;

    Tiles(const FrameStack& frames, const GridSize& grid, const CompoundOptions& options, std::int64_t cell_bytes);

    std::int64_t along(int axis) const { return (size[axis] + extent[axis] - 1) / extent[axis]; }
    std::int64_t count() const { return along(0) * along(1) * along(2); }
    std::int64_t cells() const { return (extent[0] + 2 * pad) * (extent[1] + 2 * pad) * (extent[2] + 2 * pad); }
    Slab slab(std::int64_t task, void* cells) const;
};

}  // namespace usfast
