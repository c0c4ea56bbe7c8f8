// Holes filled by diffusion: the smoothest values between the known ones.
#pragma once

#include "holes.hpp"

namespace usfast {

// Relaxes the filled holes until each is the mean of its six neighbours that are known or filled (Laplace's equation
// with the known voxels as boundary, no flow into what stays empty). Red-black over-relaxation, in a fixed order.
bool diffuse(float* volume, const Bits& known, const GridSize& size, std::int64_t reach, int threads,
             const std::uint8_t* filled, const Progress& progress);

}  // namespace usfast
