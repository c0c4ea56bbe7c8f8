// The mean over nearest voxels of bytes: one addition of 32 bits a pixel.
#include "kernels.hpp"
#include "rows.hpp"

namespace usfast {
namespace {

constexpr int block = 32;

// Pixels [u, u + count) of the row; what lies beyond repeats the last one. Places in the slab are not negative, so that
// truncation rounds down.
inline void locate(const Row<std::uint8_t>& row, const Target& target, std::int64_t u, int count, std::int32_t* cell) {
    const auto first = static_cast<std::int32_t>(u);
    const std::int32_t last = first + count - 1;
    const auto origin = static_cast<std::int32_t>(target.origin);
    for (int j = 0; j < block; ++j) {
        const auto column = static_cast<double>(first + j < last ? first + j : last);
        const auto x = static_cast<std::int32_t>(row.step[0] * column + row.base[0] + 0.5);
        const auto y = static_cast<std::int32_t>(row.step[1] * column + row.base[1] + 0.5);
        const auto z = static_cast<std::int32_t>(row.step[2] * column + row.base[2] + 0.5);
        cell[j] = stepped(stepped(stepped(origin, x, target.stride[0]), y, target.stride[1]), z, target.stride[2]);
    }
}

void add_row(const Row<std::uint8_t>& row, Interval columns, const Target& target, std::uint32_t* cells) {
    std::int32_t cell[block];
    for (std::int64_t u = columns.begin; u < columns.end; u += block) {
        const int count = static_cast<int>(columns.end - u < block ? columns.end - u : block);
        locate(row, target, u, count, cell);
        const std::uint8_t* pixel = row.pixels + u;
        if (row.mask) {
            for (int j = 0; j < count; ++j)
                if (row.mask[u + j]) cells[cell[j]] += (1U << 20) + pixel[j];
        } else if (count == block) {
#pragma GCC unroll 8
            for (int j = 0; j < block; ++j) cells[cell[j]] += (1U << 20) + pixel[j];
        } else {
            for (int j = 0; j < count; ++j) cells[cell[j]] += (1U << 20) + pixel[j];
        }
    }
}

}  // namespace

bool USFAST_LEVEL::scatter_packed(const FrameStack& frames, const double* hits, const Slab& slab, double& most) {
    const Target target(slab, 0.5, 0, 0);
    auto* cells = static_cast<std::uint32_t*>(slab.cells);
    for (std::int64_t n = 0; n < frames.used; ++n) {
        const auto visit = [&](const Row<std::uint8_t>& row, Interval columns) {
            add_row(row, columns, target, cells);
        };
        if (each_row<std::uint8_t>(frames, n, target, visit)) most += hits[n];
        if (most > static_cast<double>(packed_hits)) return false;
    }
    return true;
}

}  // namespace usfast
