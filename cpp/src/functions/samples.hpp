// The data that functions are fitted to: pixels averaged within the cells between voxels.
#pragma once

#include <cstdint>
#include <vector>

#include "tasks.hpp"
#include "usfast/functions.hpp"

namespace usfast::functions {

struct Sample {
    float x, y, z;      // mean place in the cell, in [0, 1]
    std::int32_t cell;  // along x
    float weight;       // pixels, by importance
    double value;       // their weighted mean
};

// Cell (i, j, k) lies between the nodes i and i + 1, j and j + 1, k and k + 1; one sample for each that has pixels.
struct Samples {
    GridSize cells;
    std::vector<std::int64_t> first;  // of each row z * cells.y + y, and the end of the last
    std::vector<Sample> list;         // along x in each row

    std::int64_t row(std::int64_t y, std::int64_t z) const { return z * cells.y + y; }
    const Sample* begin(std::int64_t row) const { return list.data() + first[static_cast<std::size_t>(row)]; }
    const Sample* end(std::int64_t row) const { return list.data() + first[static_cast<std::size_t>(row) + 1]; }
};

// The grid with a margin: node (i, j, k) of it is voxel (i, j, k) less the margin.
struct Frame {
    GridSize nodes;
    std::int64_t margin[3];
};

// What of a pixel is averaged.
struct Quantity {
    enum class Kind { value, power, decompressed_power } kind = Kind::value;
    double parameter = 1;  // power: the smallest amplitude; decompressed_power: grey levels for a factor e

    double of(double pixel) const;
};

bool collect(const FrameStack& frames, const Frame& frame, const Quantity& quantity, Tasks& tasks, Samples& samples);

// The same data in cells of twice the edge.
Samples coarser(const Samples& fine);

// Writes the weight of each voxel, as fit_functions() says.
bool cover(const Samples& samples, const Frame& frame, const GridSize& size, const FunctionOptions& options,
           Tasks& tasks, float* weight);

}  // namespace usfast::functions
