#include "cells.hpp"

#include <algorithm>

namespace usfast {
namespace {

bool single_precision(const CompoundOptions& options) {
    return options.mode == Mode::mean && options.method != Method::nearest && !options.statistics;
}

// A weight too small for its sums to mean anything is none, so that volume and weight agree on what is known.
constexpr float faintest = 1e-30F;

void write_floats(const float* cell, std::int64_t count, float* volume, float* weight) {
    for (std::int64_t i = 0; i < count; ++i) {
        const float total = cell[2 * i + 1], known = total > faintest ? 1.0F : 0.0F;
        volume[i] = known * cell[2 * i] / (total > faintest ? total : 1.0F);
    }
    if (!weight) return;
    for (std::int64_t i = 0; i < count; ++i) weight[i] = cell[2 * i + 1] > faintest ? cell[2 * i + 1] : 0.0F;
}

// Cells of `step` doubles: the first two become value and weight.
void write_doubles(const double* cell, std::int64_t step, std::int64_t count, bool divide, float* volume,
                   float* weight) {
    for (std::int64_t i = 0; i < count; ++i, cell += step) {
        const auto total = static_cast<float>(cell[1]);
        volume[i] = total > 0 ? static_cast<float>(divide ? cell[0] / cell[1] : cell[0]) : 0.0F;
        if (weight) weight[i] = total;
    }
}

void write_votes(const double* cell, std::int64_t count, int classes, std::uint8_t* volume, float* weight) {
    for (std::int64_t i = 0; i < count; ++i, cell += classes) {
        double total = 0;
        int winner = 0;
        for (int c = 0; c < classes; ++c) {
            total += cell[c];
            if (cell[c] > cell[winner]) winner = c;
        }
        volume[i] = static_cast<std::uint8_t>(static_cast<float>(total) > 0 ? winner : 0);
        if (weight) weight[i] = static_cast<float>(total);
    }
}

}  // namespace

std::int64_t cell_bytes(const CompoundOptions& options, Dtype) {
    if (single_precision(options)) return 2 * sizeof(float);
    const int numbers = options.mode == Mode::vote ? options.classes : options.statistics ? 4 : 2;
    return numbers * static_cast<std::int64_t>(sizeof(double));
}

void write_cells(const void* cells, std::int64_t count, const CompoundOptions& options, Dtype, void* volume,
                 float* weight) {
    if (single_precision(options))
        return write_floats(static_cast<const float*>(cells), count, static_cast<float*>(volume), weight);
    const auto* sums = static_cast<const double*>(cells);
    if (options.mode == Mode::vote)
        return write_votes(sums, count, options.classes, static_cast<std::uint8_t*>(volume), weight);
    write_doubles(sums, options.statistics ? 4 : 2, count, options.mode == Mode::mean, static_cast<float*>(volume),
                  weight);
}

void write_packed(const std::uint32_t* cells, std::int64_t count, float* volume, float* weight) {
    // Both numbers are exact in single precision, so the quotient is the one that double precision would round to.
    for (std::int64_t i = 0; i < count; ++i) {
        const auto hits = static_cast<float>(static_cast<std::int32_t>(cells[i] >> 20));
        const auto sum = static_cast<float>(static_cast<std::int32_t>(cells[i] & 0xFFFFFU));
        volume[i] = sum / (hits > 1 ? hits : 1.0F);
    }
    if (!weight) return;
    for (std::int64_t i = 0; i < count; ++i) weight[i] = static_cast<float>(static_cast<std::int32_t>(cells[i] >> 20));
}

void write_statistics(const double* cells, std::int64_t count, float* variance, std::uint32_t* hits) {
    for (std::int64_t i = 0; i < count; ++i, cells += 4) {
        const double mean = cells[0] / cells[1], spread = cells[2] / cells[1] - mean * mean;
        variance[i] = static_cast<float>(cells[1]) > 0 ? static_cast<float>(std::max(spread, 0.0)) : 0.0F;
        hits[i] = static_cast<std::uint32_t>(std::min(cells[3], 4294967295.0));
    }
}

}  // namespace usfast
