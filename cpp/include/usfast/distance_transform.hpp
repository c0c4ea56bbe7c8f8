// The exact Euclidean distance transform.
#pragma once

#include "usfast/surface.hpp"

namespace usfast {

// For every voxel the distance (mm) to the nearest voxel of the mask that is `background` (0) or, with `to_structure`,
// not 0; infinity where there is none. `site`, where it is not null, takes that voxel's index in the volume, or -1.
// Complexity: O(voxels). Memory beside the output: an eighth of a byte a voxel, and 128 (256 with `site`) bytes for
// every row and thread.
void distance_transform(const std::uint8_t* mask, const Index3& shape, const std::array<double, 3>& spacing,
                        bool to_structure, double* distance, std::int64_t* site, int threads,
                        const Progress& progress = {});

}  // namespace usfast
