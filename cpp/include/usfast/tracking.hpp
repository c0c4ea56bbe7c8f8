// Scores of trajectories that need every pixel.
#pragma once

#include <cstdint>

#include "usfast/parallel.hpp"

namespace usfast {

// Sum over all pixels of the length of an affine displacement: for each of `count` matrices m (3, 4), row major,
// sums[i] = sum of |m0 u + m1 v + m3| over u = 1 .. width, v = 1 .. height (columns 0, 1 and 3 of m; third column not
// read). The displacement field is never built: O(pixels) time, no memory. Relative error about 1e-7; the bits do not
// depend on the number of threads. Returns false where `progress` stopped the work.
bool displacement_sums(const double* matrices, std::int64_t count, std::int64_t height, std::int64_t width, int threads,
                       double* sums, const Progress& progress = {});

}  // namespace usfast
