// A volume of bits, 64 voxels to a word along x.
#pragma once

#include <cstdint>
#include <vector>

#include "usfast/surface.hpp"

namespace usfast {

// An empty word lies between rows, before the first and behind the last, so that a window around any voxel may be read
// without a test.
struct BitVolume {
    std::int64_t nz = 0, ny = 0, nx = 0;
    std::int64_t pitch = 0;  // words a row
    std::vector<std::uint64_t> words;

    BitVolume() = default;
    BitVolume(std::int64_t nz_, std::int64_t ny_, std::int64_t nx_)
        : nz(nz_),
          ny(ny_),
          nx(nx_),
          pitch((nx_ + 63) / 64 + 1),
          words(static_cast<std::size_t>(nz_ * ny_ * pitch + 1)) {}

    // Points at the word of x = 0.
    std::uint64_t* row(std::int64_t z, std::int64_t y) { return words.data() + (z * ny + y) * pitch + 1; }
    const std::uint64_t* row(std::int64_t z, std::int64_t y) const { return words.data() + (z * ny + y) * pitch + 1; }
    std::int64_t row_words() const { return pitch - 1; }
};

inline int first_bit(std::uint64_t word) { return __builtin_ctzll(word); }
inline int leading_zeros(std::uint64_t word) { return __builtin_clzll(word); }

}  // namespace usfast
