#include "cells.hpp"

namespace usfast {
namespace {

void write_means(const double* cell, std::int64_t count, bool divide, float* volume, float* weight) {
    for (std::int64_t i = 0; i < count; ++i, cell += 2) {
        // A weight too small for the result is none, so that volume and weight agree on what is known.
        weight[i] = static_cast<float>(cell[1]);
        volume[i] = weight[i] > 0 ? static_cast<float>(divide ? cell[0] / cell[1] : cell[0]) : 0.0F;
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
        weight[i] = static_cast<float>(total);
        volume[i] = static_cast<std::uint8_t>(weight[i] > 0 ? winner : 0);
    }
}

}  // namespace

std::int64_t cell_bytes(const CompoundOptions& options, Dtype) {
    return static_cast<std::int64_t>(sizeof(double)) * (options.mode == Mode::vote ? options.classes : 2);
}

void write_cells(const void* cells, std::int64_t count, const CompoundOptions& options, Dtype, void* volume,
                 float* weight) {
    const auto* sums = static_cast<const double*>(cells);
    if (options.mode == Mode::vote)
        write_votes(sums, count, options.classes, static_cast<std::uint8_t*>(volume), weight);
    else
        write_means(sums, count, options.mode == Mode::mean, static_cast<float*>(volume), weight);
}

}  // namespace usfast
