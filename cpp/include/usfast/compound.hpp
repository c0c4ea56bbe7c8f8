// Compounding: pixels of tracked frames into voxels.
#pragma once

#include <cstdint>

#include "usfast/parallel.hpp"

namespace usfast {

enum class Method { nearest, linear, gaussian };
enum class Mode { mean, maximum, latest, vote };  // a weighted mean is `mean` with importance
enum class Dtype { uint8, float32 };

// Frames (count, height, width), C order, and where each of those to be used lies in the grid.
struct FrameStack {
    const void* pixels;
    Dtype dtype;
    std::int64_t height, width;
    std::int64_t used;                  // number of frames to use
    const std::int64_t* index;          // (used) which frames, in the order of insertion
    const double* image_to_voxel;       // (used, 3, 4): pixel (u, v) lies at voxel m0 u + m1 v + m3 of each axis
    const std::uint8_t* mask;           // (height, width), 0 = leave out; may be null
    const float* importance;            // weight of each pixel, >= 0; may be null
    std::int64_t importance_stride[3];  // elements between frames, rows, columns; 0 = the same for all
};

struct GridSize {
    std::int64_t x, y, z;
};

struct CompoundOptions {
    Method method = Method::linear;
    Mode mode = Mode::mean;
    int radius = 2;      // gaussian: the kernel covers (2 radius + 1)^3 voxels
    double sigma = 1.0;  // gaussian: standard deviation, voxels
    int classes = 0;     // vote: pixels hold class indices below this
    int threads = 1;
};

// Writes volume (z, y, x) -- float values, or uint8 class indices for Mode::vote -- and weight (z, y, x); 0 where no
// pixel fell. The bits do not depend on the number of threads: each voxel is owned by one task, which takes the
// frames in order. Sums are kept in double. Time O(pixels * voxels of the kernel); memory beyond the outputs is one
// slab of voxels a thread. Returns false where `progress` stopped the work.
bool compound(const FrameStack& frames, const GridSize& size, const CompoundOptions& options, void* volume,
              float* weight, const Progress& progress = {});

}  // namespace usfast
