// The inner loops of compounding, compiled once for each instruction set level. Plain data only: a template of the
// standard library instantiated in these files could replace the baseline's copy at link time.
#pragma once

#include "usfast/compound.hpp"

namespace usfast {

// Voxels [begin, end) of the grid with `pad` more on every side, so that no kernel needs to test each voxel. The cells
// are those of cells.hpp. What a cell becomes depends neither on the box nor on the order of its axes.
struct Slab {
    std::int64_t begin[3], end[3];  // x, y, z
    std::int64_t pad;
    void* cells;
    int order[3] = {0, 1, 2};  // axes in storage, fastest first
};

// Voxels of a slab along an axis, padding included. Internal linkage: this header is compiled for several levels.
static inline std::int64_t extent(const Slab& slab, int axis) {
    return slab.end[axis] - slab.begin[axis] + 2 * slab.pad;
}

struct ScatterTable {
    void (*scatter)(const FrameStack&, const CompoundOptions&, const Slab&);

    // The mean over nearest voxels of bytes without importance, in cells of 32 bits: number of pixels << 20 | sum. At
    // most hits[n] pixels of frame n fall into one voxel; `most` sums these. Returns false, the cells then useless,
    // where one might overflow.
    bool (*scatter_packed)(const FrameStack&, const double* hits, const Slab&, double& most);
};

constexpr std::int64_t packed_hits = 4095;  // the most that a packed cell holds: 4095 * 255 < 2^20

const ScatterTable& scatter_table();  // of the best level that this machine runs

}  // namespace usfast
