// The mean with trilinear weights. Places are computed in double precision and so are both parts of a voxel's side,
// f and 1 - f: every weight is good to single precision, however small. Weights of a block of pixels are computed side
// by side, then each pixel adds to its eight cells in turn.
#include "kernels.hpp"
#include "lanes.hpp"
#include "pixels.hpp"
#include "rows.hpp"

namespace usfast {
namespace {

constexpr int block = 16;

using Cell = float __attribute__((vector_size(8)));  // sum of weighted values, sum of weights

struct Block {
    alignas(64) std::int32_t cell[block];
    alignas(64) float side[3][2][block];  // 1 - f, f
    alignas(64) float value[block], importance[block];
    alignas(64) float share[8][block][2];  // what each of the eight cells gets
};

// (y weight * z weight) * (x weight * importance), and the same with the value, of the pixels [j, j + lanes).
inline void share_out(Block& b, int j) {
    const auto load = [j](const float* numbers) { return *reinterpret_cast<const Lanes*>(numbers + j); };
    Lanes weight[2], weighted[2];
    for (int x = 0; x < 2; ++x) {
        weight[x] = load(b.side[0][x]) * load(b.importance);
        weighted[x] = weight[x] * load(b.value);
    }
    for (int c = 0; c < 8; ++c) {
        const Lanes plane = load(b.side[1][c >> 1 & 1]) * load(b.side[2][c >> 2]);
        interleave(plane * weighted[c & 1], plane * weight[c & 1], b.share[c][j]);
    }
}

// Pixels [u, u + count) of the row; what lies beyond repeats the last one.
template <typename T>
inline void weigh(const Row<T>& row, const Target& target, std::int64_t u, int count, Block& b) {
    const auto first = static_cast<std::int32_t>(u);
    const std::int32_t last = first + count - 1;
    for (int j = 0; j < block; ++j) b.cell[j] = static_cast<std::int32_t>(target.origin);
    for (int a = 0; a < 3; ++a) {
        const double step = row.step[a], base = row.base[a];
        for (int j = 0; j < block; ++j) {
            const double p = step * static_cast<double>(first + j < last ? first + j : last) + base;
            const std::int32_t voxel = floor_int(p);
            const double f = p - static_cast<double>(voxel);
            b.cell[j] = stepped(b.cell[j], voxel, target.stride[a]);
            b.side[a][0][j] = static_cast<float>(1 - f);
            b.side[a][1][j] = static_cast<float>(f);
        }
    }
    read_pixels<T, block>(row, u, count, b.value, b.importance);
    for (int j = 0; j < block; j += lanes) share_out(b, j);
}

template <typename T>
void add_row(const Row<T>& row, Interval columns, const Target& target, const std::int64_t ahead, Cell* cells) {
    Block b;
    std::int64_t corner[8];
    for (int c = 0; c < 8; ++c)
        corner[c] = (c & 1) * target.stride[0] + (c >> 1 & 1) * target.stride[1] + (c >> 2) * target.stride[2];
    for (std::int64_t u = columns.begin; u < columns.end; u += block) {
        const int count = static_cast<int>(columns.end - u < block ? columns.end - u : block);
        weigh(row, target, u, count, b);
        for (int j = 0; j < count; ++j) {
            Cell* first = cells + b.cell[j];
            if (j % 4 == 0)
                for (int c = 0; c < 8; c += 2) __builtin_prefetch(first + corner[c] + ahead);
            for (int c = 0; c < 8; ++c) first[corner[c]] += *reinterpret_cast<const Cell*>(b.share[c][j]);
        }
    }
}

template <typename T>
void scatter(const FrameStack& frames, const Slab& slab) {
    const Target target(slab, 0, 1, 0);
    for (std::int64_t n = 0; n < frames.used; ++n) {
        const std::int64_t ahead = rows_ahead(frames, n, target, 2);
        each_row<T>(frames, n, target, [&](const Row<T>& row, Interval columns) {
            add_row(row, columns, target, ahead, static_cast<Cell*>(slab.cells));
        });
    }
}

}  // namespace

void USFAST_LEVEL::scatter_linear(const FrameStack& frames, const Slab& slab) {
    frames.dtype == Dtype::uint8 ? scatter<std::uint8_t>(frames, slab) : scatter<float>(frames, slab);
}

}  // namespace usfast
