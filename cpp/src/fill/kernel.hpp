// The inner loops of hole filling, compiled once for each instruction set level.
#pragma once

#include <cstdint>

namespace usfast {

struct FillTable {
    // Bit i of `words` = weight[i] > 0.
    void (*known_bits)(const float* weight, std::int64_t count, std::uint64_t* words);
    // value * weight and weight of the known voxels, 0 elsewhere; weight 1 for all where `certainty` is false.
    void (*split_float)(const float* value, const float* weight, std::int64_t count, bool certainty, float* sums,
                        float* totals);
    void (*split_double)(const float* value, const float* weight, std::int64_t count, bool certainty, double* sums,
                         double* totals);
    // out[i] = sum over j of factor[j] * rows[j][i]; a null row is zero. Reads and writes up to the next multiple
    // of 64.
    void (*combine_float)(const float* const* rows, const float* factor, int count, std::int64_t length, float* out);
    void (*combine_double)(const double* const* rows, const double* factor, int count, std::int64_t length,
                           double* out);
    // value[i] = sums[i] / totals[i] and filled[i] = 1 where `holes` has bit i and totals[i] > 0. Returns the holes
    // left.
    std::uint64_t (*write_float)(const float* sums, const float* totals, std::uint64_t holes, int count, float* value,
                                 std::uint8_t* filled);
    std::uint64_t (*write_double)(const double* sums, const double* totals, std::uint64_t holes, int count,
                                  float* value, std::uint8_t* filled);
};

const FillTable& fill_table();  // of the best level that this machine runs

}  // namespace usfast
