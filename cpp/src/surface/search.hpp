// The two kernels that are compiled for each instruction set level: counting bits and searching for them.
#pragma once

#include <cstdint>

namespace usfast {

// A row of voxels seen from the one that asks: so many planes and rows away, and the square of that distance.
struct RowOffset {
    std::int32_t dz;
    std::int32_t dy;
    double squared;
};

struct SearchTarget {
    const std::uint64_t* first_row;  // the word of x = 0 of row (0, 0); an empty word at either end of each row
    std::int64_t nz, ny, pitch;
    double step;            // along x, mm
    const RowOffset* rows;  // by distance, ascending; the first is the row itself
    std::int64_t row_count;
    double reach;     // square of the distance of the first row that is not in `rows`
    bool whole_rows;  // look along whole rows, not just 63 voxels to either side
};

struct SurfaceTable {
    // Bits set in a, in b and in both.
    void (*count)(const std::uint64_t* a, const std::uint64_t* b, std::int64_t words, std::int64_t result[3]);
    // For every bit of `query`, which is row (z, y), ascending: the square of the distance to the nearest bit of the
    // target, or -1 where it may lie beyond what was looked at. Returns how many; adds the rows visited to `visits`.
    std::int64_t (*search_row)(const SearchTarget& target, std::int64_t z, std::int64_t y, const std::uint64_t* query,
                               std::int64_t words, double* squared, std::int64_t* visits);
};

const SurfaceTable& surface_table();

}  // namespace usfast
