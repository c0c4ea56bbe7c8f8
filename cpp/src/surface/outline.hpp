// The surface of a structure, as bits: border voxels, or the corners that its surfels belong to.
#pragma once

#include "pack.hpp"

namespace usfast {

// Border voxels inside `box`: those of the structure with a neighbour outside it.
BitVolume border_voxels(const BitVolume& structure, const Box& box, const SurfaceOptions& options);

// Corners of the voxels in `box` (one more than voxels along each axis) around which the structure is neither
// everywhere nor nowhere.
BitVolume border_corners(const BitVolume& structure, const Box& box, bool planar, int threads);

// Keeps voxels marked in `only`.
void keep_voxels(BitVolume& border, const BitVolume& only, const Box& box);

// Keeps corners that touch a voxel marked in `only`.
void keep_corners(BitVolume& corners, const BitVolume& only, const Box& box, bool planar);

// Which of the eight voxels around corner (z, y, x) of the box are in the structure: bit 4 dz + 2 dy + dx stands for
// voxel (z - 1 + dz, y - 1 + dy, x - 1 + dx). In two dimensions dz is 1.
int corner_code(const BitVolume& structure, const Box& box, bool planar, std::int64_t z, std::int64_t y,
                std::int64_t x);

}  // namespace usfast
