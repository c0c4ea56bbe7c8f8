// Which bricks of a lattice does a frame cross, and where in them?
#pragma once

#include <array>
#include <cstdint>
#include <functional>

#include "usfast/bricks.hpp"

namespace usfast {

// Called with a brick (x, y, z in the lattice) and its voxels that the frame's pixels can reach.
using Crossed = std::function<void(const std::array<std::int32_t, 3>& brick, const Box& voxels)>;

// The pixels [u0, u1] x [v0, v1], which `matrix` (3, 4) takes to voxels, in bricks of `side` voxels from the domain's
// first voxel on. A pixel reaches the voxels up to `reach` away on each axis. A voxel too many may be found, none is
// missed. O(bricks crossed): the parallelogram is cut into columns of bricks along x, those along y, those along z.
void cut_frame(const double* matrix, double u0, double u1, double v0, double v1, const Box& domain, std::int64_t side,
               double reach, const Crossed& crossed);

}  // namespace usfast
