// The kernels that one instruction set level puts into its table.
#pragma once

#include "../dispatch/level.hpp"
#include "scatter.hpp"

namespace usfast {
namespace USFAST_LEVEL {

bool scatter_packed(const FrameStack&, const double* hits, const Slab&, double& most);

// Mean with trilinear and with Gaussian weights; cells (sum of weighted values, sum of weights) in single precision.
// The additions to a voxel are made one by one, in the order of frame, row and column.
void scatter_linear(const FrameStack&, const Slab&);
void scatter_gaussian(const FrameStack&, const CompoundOptions&, const Slab&);

}  // namespace USFAST_LEVEL
}  // namespace usfast
