// Values of a block of pixels and how much each counts. Included by kernels that are compiled for each level.
#pragma once

#include "rows.hpp"

namespace usfast {
namespace {

constexpr float largest = 1e15F;  // beyond it, a weighted sum might leave single precision

// Pixels [u, u + count) of the row; 0 for those that hold no intensity or are masked, and for what lies beyond.
template <typename T, int block>
inline void read_pixels(const Row<T>& row, std::int64_t u, int count, float* value, float* importance) {
    if (count == block) {
        for (int j = 0; j < block; ++j) value[j] = static_cast<float>(row.pixels[u + j]);
        for (int j = 0; j < block; ++j) importance[j] = 1;
    } else {
        for (int j = 0; j < block; ++j) value[j] = importance[j] = 0;
        for (int j = 0; j < count; ++j) value[j] = static_cast<float>(row.pixels[u + j]), importance[j] = 1;
    }
    if (row.importance)
        for (int j = 0; j < count; ++j) importance[j] = row.importance[(u + j) * row.importance_stride];
    if (row.mask)
        for (int j = 0; j < count; ++j)
            if (!row.mask[u + j]) importance[j] = 0;
    if constexpr (same<T, float>)
        for (int j = 0; j < block; ++j) {
            const bool intensity = value[j] <= largest && value[j] >= -largest;
            importance[j] = intensity ? importance[j] : 0;
            value[j] = intensity ? value[j] : 0;
        }
}

// How many cells further a pixel's place `rows` rows on lies: what to fetch while this row is being added.
inline std::int64_t rows_ahead(const FrameStack& frames, std::int64_t n, const Target& target, int rows) {
    double cells = 0;
    for (int a = 0; a < 3; ++a) {
        const double voxels = rows * frames.image_to_voxel[12 * n + 4 * a + 1];
        // Far outside there is nothing to fetch, and the conversion must stay defined.
        if (voxels > -1e4 && voxels < 1e4)
            cells += static_cast<double>(static_cast<std::int64_t>(voxels)) * static_cast<double>(target.stride[a]);
    }
    return static_cast<std::int64_t>(cells);
}

}  // namespace
}  // namespace usfast
