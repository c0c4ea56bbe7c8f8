// The inner loop of compounding, compiled once for each instruction set level. Plain data only: a template of the
// standard library instantiated in these files could replace the baseline's copy at link time.
#pragma once

#include "usfast/compound.hpp"

namespace usfast {

// Voxels [begin, end) of the grid with `pad` more on every side, so that no kernel needs to test each voxel. The cells
// are those of cells.hpp, x fastest.
struct Slab {
    std::int64_t begin[3], end[3];  // x, y, z
    std::int64_t pad;
    void* cells;
};

struct ScatterTable {
    void (*scatter)(const FrameStack&, const CompoundOptions&, const Slab&);
};

const ScatterTable& scatter_table();  // of the best level that this machine runs

}  // namespace usfast
