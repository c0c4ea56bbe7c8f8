// The methods behind fit_functions(). Each writes the voxels whose weight is above 0, and 0 elsewhere.
#pragma once

#include "samples.hpp"

namespace usfast::functions {

bool fit_radial_basis(const Samples& samples, const Frame& frame, const GridSize& size, const FunctionOptions& options,
                      Tasks& tasks, const float* weight, float* volume);

bool fit_rayleigh(const Samples& samples, const Frame& frame, const GridSize& size, const FunctionOptions& options,
                  Tasks& tasks, const float* weight, float* volume);

bool fit_bspline(const Samples& samples, const Frame& frame, const GridSize& size, const FunctionOptions& options,
                 Tasks& tasks, const float* weight, float* volume);

int rayleigh_levels(const Frame& frame, const FunctionOptions& options);
int rayleigh_phases(const Frame& frame, const FunctionOptions& options);
int bspline_levels(const Frame& frame, const FunctionOptions& options);
int bspline_phases(const Frame& frame, const FunctionOptions& options);
constexpr int radial_basis_phases = 9;

}  // namespace usfast::functions
