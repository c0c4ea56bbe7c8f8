// Slice-to-volume registration: how well frames match a volume, and how to move them.
#pragma once

#include <cstdint>

#include "usfast/compound.hpp"
#include "usfast/parallel.hpp"

namespace usfast {

struct FixedVolume {
    const float* voxels;  // (z, y, x), C order; NaN where nothing is known
    GridSize size;        // below 1e9 each
    double spacing[3];    // x, y, z, mm
};

// Frames (count, height, width) and where they lie.
struct MovingFrames {
    const float* pixels;  // not finite = leave out
    std::int64_t count, height, width;
    const double* pixel_to_voxel;  // (count, 3, 4): pixel (u, v) lies at voxel m0 u + m1 v + m3 of each axis
    const double* pivots;          // (count, 3): voxel that a turn of the frame leaves in place
};

// What matching yields for each frame.
struct Matches {
    double* ncc;         // (count): normalised cross-correlation of frame and slice; NaN where there is none
    std::int64_t* used;  // (count): pixels that it was taken over
    double* gradient;    // (count, 6): of the NCC by shift (mm) and turn (rad) along and about the volume's axes
    double* hessian;     // (count, 6, 6): Gauss-Newton approximation of minus the NCC's second derivative
};

// Matches each frame with the trilinear slice of the volume at its place. A pixel counts where it is finite and all
// eight voxels around it exist and are known. With a^ and b^ the pixels of frame and slice, freed of their means and
// scaled to unit length, 1 - NCC = |a^ - b^|^2 / 2, so that minus its gradient is J^T (a^ - b^) and its Gauss-Newton
// matrix J^T J, J being the derivative of b^. O(pixels) time, no memory beyond the results. The bits do not depend on
// the number of threads. Returns false where `progress` stopped the work.
bool match_frames(const FixedVolume& volume, const MovingFrames& frames, int threads, const Matches& matches,
                  const Progress& progress = {});

}  // namespace usfast
