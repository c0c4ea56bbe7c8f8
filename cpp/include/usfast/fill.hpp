// Filling of holes: voxels that no pixel reached, from known voxels close by.
#pragma once

#include <cstdint>

#include "usfast/compound.hpp"

namespace usfast {

enum class Fill { nearest, mean, sticks, gaussian, inverse_distance, normalized_convolution };

struct FillOptions {
    Fill method = Fill::gaussian;
    int size = 5;        // voxels across the window, odd; for sticks the longest stick
    double sigma = 1.0;  // gaussian: standard deviation, voxels; grows with the window for normalized_convolution
    int threads = 1;
};

// Reads volume and weight (z, y, x), where a hole has weight 0; writes `filled` values into `out` and 1 into `mask`
// where a hole found known voxels, and copies every other voxel. Values come from known voxels alone, never from
// other filled ones, so neither order nor threads matter. O(holes near data * window). Returns false where stopped.
bool fill_holes(const float* volume, const float* weight, const GridSize& size, const FillOptions& options, float* out,
                std::uint8_t* mask, const Progress& progress = {});

}  // namespace usfast
