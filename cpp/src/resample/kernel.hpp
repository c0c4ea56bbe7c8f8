// The inner loops of resampling, compiled once for each instruction set level. Plain data only: see scatter.hpp.
#pragma once

#include "usfast/resample.hpp"

namespace usfast {

constexpr int spline_lanes = 32;

struct ResampleTable {
    // Rows [begin, end) of one slice, `width` pixels each, into `out`, which starts with row `begin`.
    void (*rows)(const VoxelArray&, const double* image_to_voxel, std::int64_t begin, std::int64_t end,
                 std::int64_t width, Order, float fill, float* out);
    // `lines` (count, spline_lanes) of samples become spline coefficients in place.
    void (*spline)(double* lines, std::int64_t count);
};

const ResampleTable& resample_table();  // of the best level that this machine runs

}  // namespace usfast
