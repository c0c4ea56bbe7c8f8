// The families of methods behind interpolate().
#pragma once

#include "usfast/interpolate.hpp"

namespace usfast::interpolation {

template <typename T>
bool interpolate_projections(const FrameStack& frames, const GridSize& size, const InterpolateOptions& options,
                             float* volume, float* weight, const Progress& progress);

template <typename T>
bool interpolate_trajectory(const FrameStack& frames, const GridSize& size, const InterpolateOptions& options,
                            float* volume, float* weight, const Progress& progress);

template <typename T>
bool interpolate_neighbours(const FrameStack& frames, const GridSize& size, const InterpolateOptions& options,
                            float* volume, float* weight, const Progress& progress);

}  // namespace usfast::interpolation
