// Which holes are to be filled, as one bit a voxel.
#pragma once

#include <cstdint>
#include <vector>

#include "usfast/fill.hpp"

namespace usfast {

// Rows of bits along x, each padded to whole words.
struct Bits {
    std::int64_t words, ny, nz;
    std::vector<std::uint64_t> data;

    Bits(std::int64_t nx, std::int64_t rows, std::int64_t planes)
        : words((nx + 63) / 64), ny(rows), nz(planes), data(static_cast<std::size_t>(words * ny * nz), 0) {}
    std::uint64_t* row(std::int64_t y, std::int64_t z) { return data.data() + (z * ny + y) * words; }
    const std::uint64_t* row(std::int64_t y, std::int64_t z) const { return data.data() + (z * ny + y) * words; }
    bool at(std::int64_t x, std::int64_t y, std::int64_t z) const { return row(y, z)[x >> 6] >> (x & 63) & 1; }
};

Bits known_voxels(const float* weight, const GridSize& size, int threads);

// Holes within the window of a known voxel: of their dilation by the window or, without `extend`, of their closing.
// `reach` is half the window along x, y, z. Space outside the grid counts as unknown, not as a border.
Bits fillable(const Bits& known, const GridSize& size, const std::int64_t (&reach)[3], bool extend, int threads);

}  // namespace usfast
