// Filling of holes: voxels that no pixel reached, from known voxels close by.
#pragma once

#include <cstdint>

#include "usfast/compound.hpp"

namespace usfast {

enum class Fill { nearest, mean, sticks, gaussian, inverse_distance, normalized_convolution, diffusion };

struct FillOptions {
    Fill method = Fill::gaussian;
    int size[3] = {5, 5, 5};            // voxels across the window along x, y, z, odd; for sticks size[0] = the longest
    double sigma[3] = {1.0, 1.0, 1.0};  // standard deviation, voxels; shrinks with the window where that grows
    bool extend = false;                // fill beyond the closing of the known voxels by the window, too
    int threads = 1;
};

// In `volume` (z, y, x), where a voxel of weight 0 is a hole, gives holes a value and marks them in `filled` (1, else
// 0). Only holes in the morphological closing of the known voxels by the window are filled (without `extend`): gaps
// between frames, not space outside the sweep. Values come from known voxels alone, never from other filled ones, so
// neither order nor threads matter; diffusion relaxes all holes together, in a fixed order. Time: O(voxels + voxels of
// rows with holes * (sum of the sizes)) for mean, gaussian and normalized_convolution, whose kernels are separable,
// O(holes * window) for the others. Memory: half a byte a voxel and a few megabytes a thread. Returns false where
// stopped; the volume is then partly filled.
bool fill_holes(float* volume, const float* weight, const GridSize& size, const FillOptions& options,
                std::uint8_t* filled, const Progress& progress = {});

}  // namespace usfast
