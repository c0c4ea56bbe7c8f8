// Resampling: slices of a volume at any pose.
#pragma once

#include <cstdint>

#include "usfast/compound.hpp"
#include "usfast/parallel.hpp"

namespace usfast {

enum class VoxelType { uint8, int16, float32 };
enum class Order { linear, cubic };

struct VoxelArray {
    const void* voxels;  // (z, y, x), C order
    VoxelType type;
    GridSize size;  // below 1e9 each
};

// Where the slices (count, height, width) lie.
struct SliceStack {
    std::int64_t count, height, width;
    const double* image_to_voxel;  // (count, 3, 4): pixel (u, v) lies at voxel m0 u + m1 v + m3 of each axis
};

// Coefficients (z, y, x) of the cubic B-spline that passes through the voxels, mirrored about the first and the last
// voxel of each axis. O(voxels); beyond the result, one bundle of 32 lines in double a thread.
bool spline_coefficients(const VoxelArray& volume, int threads, float* coefficients, const Progress& progress = {});

// Values (count, height, width) of a volume at the pixels of slices. Voxels outside hold `fill`.
// linear: trilinear between the eight voxels around, with the very cells and fractions of compounding.
// cubic: cubic B-spline of `volume`, which must hold coefficients; pixels more than 1e-6 voxels beyond the first or
// last voxel centre get `fill`.
// The bits do not depend on the number of threads. O(pixels); no memory beyond the result. Returns false where
// `progress` stopped the work.
bool resample(const VoxelArray& volume, const SliceStack& slices, Order order, float fill, int threads, float* out,
              const Progress& progress = {});

}  // namespace usfast
