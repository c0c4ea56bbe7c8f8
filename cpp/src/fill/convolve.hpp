// Normalised convolution with a separable kernel.
#pragma once

#include "holes.hpp"

namespace usfast {

// Fills the holes of `holes` with the mean of the known voxels in a window of `reach` to each side, weighted by a
// Gaussian (sigma > 0) or equally (sigma 0) and, with `certainty`, by the voxels' weights too. Clears the bits of the
// holes that it filled. Knutsson and Westin, CVPR 1993.
struct Window {
    std::int64_t reach[3];
    double sigma[3];
    bool certainty;
};

bool convolve(float* volume, const float* weight, const GridSize& size, const Window& window, int threads,
              const Bits& known, Bits& holes, std::uint8_t* filled, const Progress& progress);

}  // namespace usfast
