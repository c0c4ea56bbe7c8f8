// Compounding by the voxel: each voxel of the grid looks for its own pixels, instead of each pixel for its voxels.
#pragma once

#include <cstdint>

#include "usfast/compound.hpp"

namespace usfast {

enum class VoxelMethod { voxel_nearest, inverse_distance, trajectory, squared_distance, adaptive, median };

struct InterpolateOptions {
    VoxelMethod method = VoxelMethod::voxel_nearest;
    double spacing[3] = {1, 1, 1};  // mm between voxels, x, y, z
    // mm: how far a voxel's frame may lie (voxel_nearest, inverse_distance), how far apart the two frames around a
    // voxel may lie (trajectory), or the radius of the sphere whose pixels count (squared_distance, adaptive, median).
    double reach = 1;
    double alpha = 0;          // mm^2: pixels weigh 1 / (distance^2 + alpha); median: 0 = all weigh the same
    double largest_alpha = 0;  // mm^2, adaptive: alpha where the pixels show no contrast; `alpha` where it is endless
    double halfway = 1;        // adaptive: ratio of variance to mean that brings alpha halfway from one to the other
    int threads = 1;
};

// Writes volume (z, y, x) and weight (z, y, x); weight is 0 and the value 0 where no pixel is in reach, and above 0
// elsewhere. Pixels that are masked, not finite or of importance 0 do not count. Each voxel is owned by one task and
// takes the frames in order, all in double, so the bits do not depend on the number of threads. Time O(voxels *
// frames in reach * pixels in reach); memory beyond the outputs: 300 bytes a frame, and for `adaptive` and `median`
// the pixels in reach of one voxel for each thread. Returns false where `progress` stopped the work.
bool interpolate(const FrameStack& frames, const GridSize& size, const InterpolateOptions& options, float* volume,
                 float* weight, const Progress& progress = {});

}  // namespace usfast
