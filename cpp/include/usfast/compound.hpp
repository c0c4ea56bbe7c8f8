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
    const std::int64_t* columns =
        nullptr;  // (height, 2) begin and end of what the mask leaves of each row; may be null
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
    bool statistics = false;  // mean: keep what variance and number of hits need
};

// Where compounding writes, each (z, y, x); 0 where no pixel fell.
struct CompoundResults {
    void* volume;                   // float values, or uint8 class indices for Mode::vote
    float* weight;                  // may be null
    float* variance = nullptr;      // with statistics: of the values in each voxel, weighted, of the population
    std::uint32_t* hits = nullptr;  // with statistics: number of pixels that reached it with a weight
};

// The bits do not depend on the number of threads: each voxel is owned by one task, which takes the frames in order.
// Sums are kept in double precision, those of linear and Gaussian means in single precision. Time O(pixels * voxels of
// the kernel); memory beyond the results is `compound_scratch`. Returns false where `progress` stopped the work.
bool compound(const FrameStack& frames, const GridSize& size, const CompoundOptions& options,
              const CompoundResults& results, const Progress& progress = {});

// Bytes that compound() takes beyond the results.
std::int64_t compound_scratch(const FrameStack& frames, const GridSize& size, const CompoundOptions& options);

}  // namespace usfast
