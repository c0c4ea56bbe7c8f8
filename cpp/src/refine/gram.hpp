// Inner products over the pixels of one frame: all that a normalised cross-correlation and its derivatives need.
#pragma once

#include "usfast/refine.hpp"

namespace usfast {

constexpr int features = 9;  // one, frame, slice, and the slice's derivative by shift x, y, z and turn x, y, z

// sums[i][j], j <= i: inner product of features i and j over the pixels that count. Single precision within a block
// of pixels, double between blocks.
void gram(const FixedVolume& volume, const float* pixels, std::int64_t height, std::int64_t width, const double* matrix,
          const double* pivot, double sums[features][features]);

}  // namespace usfast
