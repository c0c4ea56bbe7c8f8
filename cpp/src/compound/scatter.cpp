// Which voxels does a pixel reach, and what does it add there? The ways that need no single-precision or packed sums:
// one voxel after the other, in double precision. The common means have files of their own.
#include "scatter.hpp"

#include <cmath>

#include "kernels.hpp"
#include "rows.hpp"

namespace usfast {
namespace {

using Pair = double __attribute__((vector_size(16)));
using Moments = double __attribute__((vector_size(32), aligned(16)));

constexpr int block = 64;
constexpr int max_width = 33;  // widest Gaussian kernel

// A block of pixels of one row: cells in the slab (-1 = leave out), offsets in the voxel, values, importance.
struct Block {
    std::int64_t cell[block];
    double fx[block], fy[block], fz[block];
    double value[block], weight[block];
};

// Pixels [u, u + count) of the row: which cell, how far from its centre, what value and importance.
template <typename T>
inline void locate(const Row<T>& row, const Target& target, std::int64_t u, int count, Block& b) {
    const auto first = static_cast<std::int32_t>(u);
    for (int j = 0; j < count; ++j) {
        const auto column = static_cast<double>(first + j);
        const double px = row.step[0] * column + row.base[0];
        const double py = row.step[1] * column + row.base[1];
        const double pz = row.step[2] * column + row.base[2];
        const std::int32_t x = floor_int(px + target.shift), y = floor_int(py + target.shift),
                           z = floor_int(pz + target.shift);
        b.fx[j] = px - x, b.fy[j] = py - y, b.fz[j] = pz - z;
        b.cell[j] = target.origin + x * target.stride[0] + y * target.stride[1] + z * target.stride[2];
    }
    for (int j = 0; j < count; ++j) b.value[j] = static_cast<double>(row.pixels[u + j]);
    for (int j = 0; j < count; ++j) b.weight[j] = 1;
    if constexpr (same<T, float>)
        for (int j = 0; j < count; ++j)
            if (!(b.value[j] - b.value[j] == 0)) b.cell[j] = -1;  // NaN and infinity hold no intensity
    if (row.mask)
        for (int j = 0; j < count; ++j)
            if (!row.mask[u + j]) b.cell[j] = -1;
    if (row.importance)
        for (int j = 0; j < count; ++j) {
            b.weight[j] = static_cast<double>(row.importance[(u + j) * row.importance_stride]);
            if (!(b.weight[j] > 0)) b.cell[j] = -1;
        }
}

// What happens to one voxel that a pixel reaches with a weight.
struct Tally {
    static void put(double* cells, std::int64_t at, double value, double weight, const CompoundOptions&, double) {
        if (!(weight > 0)) return;
        auto* moments = reinterpret_cast<Moments*>(cells) + at;
        *moments += Moments{value * weight, weight, value * value * weight, 1};
    }
};
struct Maximum {
    static void put(double* cells, std::int64_t at, double value, double weight, const CompoundOptions&, double least) {
        if (weight < least || weight == 0) return;
        double* cell = cells + 2 * at;
        if (cell[1] == 0 || value > cell[0]) cell[0] = value;
        cell[1] += weight;
    }
};
struct Latest {
    static void put(double* cells, std::int64_t at, double value, double weight, const CompoundOptions&, double least) {
        if (weight < least || weight == 0) return;
        cells[2 * at] = value;
        cells[2 * at + 1] += weight;
    }
};
struct Vote {
    static void put(double* cells, std::int64_t at, double value, double weight, const CompoundOptions& o, double) {
        cells[at * o.classes + static_cast<std::int64_t>(value)] += weight;
    }
};

// Neighbouring pixels often share their voxels. The sums of such a run stay in registers: through memory, each
// addition would wait for the one before.
inline void add_nearest(const Block& b, int count, double* cells) {
    auto* pairs = reinterpret_cast<Pair*>(cells);
    for (int j = 0; j < count;) {
        const std::int64_t cell = b.cell[j];
        Pair run = {0, 0};
        for (; j < count && b.cell[j] == cell; ++j) run += Pair{b.value[j] * b.weight[j], b.weight[j]};
        if (cell >= 0) pairs[cell] += run;
    }
}

template <typename Rule>
void put_linear(const Block& b, int count, const Target& target, const CompoundOptions& o, double* cells) {
    const std::int64_t sx = target.stride[0], sy = target.stride[1], sz = target.stride[2];
    for (int j = 0; j < count; ++j) {
        if (b.cell[j] < 0) continue;
        const double wx[2] = {1 - b.fx[j], b.fx[j]}, wy[2] = {1 - b.fy[j], b.fy[j]}, wz[2] = {1 - b.fz[j], b.fz[j]};
        for (int corner = 0; corner < 8; ++corner) {
            const int x = corner & 1, y = corner >> 1 & 1, z = corner >> 2;
            Rule::put(cells, b.cell[j] + x * sx + y * sy + z * sz, b.value[j], wx[x] * wy[y] * wz[z] * b.weight[j], o,
                      0.125);
        }
    }
}

// 1 / (2 sigma^2), finite however small sigma is.
inline double half_inverse_variance(double sigma) {
    const double inverse = 1 / (2 * sigma * sigma);
    return inverse < 1e300 ? inverse : 1e300;
}

// Weights exp(-(f - k)^2 / (2 sigma^2)) of the voxels k = -radius .. radius around the nearest one. Each follows from
// its neighbour by a ratio that never exceeds one, so nothing overflows.
struct GaussianAxis {
    double weight[max_width];

    GaussianAxis(double f, int radius, double inverse, double shrink) {
        weight[radius] = std::exp(-f * f * inverse);
        double up = std::exp((2 * f - 1) * inverse), down = std::exp((-2 * f - 1) * inverse);
        for (int k = 1; k <= radius; ++k, up *= shrink, down *= shrink) {
            weight[radius + k] = weight[radius + k - 1] * up;
            weight[radius - k] = weight[radius - k + 1] * down;
        }
    }
};

template <typename Rule>
void put_gaussian(const Block& b, int count, const Target& target, const CompoundOptions& o, double* cells) {
    const int radius = o.radius, width = 2 * radius + 1;
    const double inverse = half_inverse_variance(o.sigma);
    const double shrink = std::exp(-2 * inverse), corner = std::exp(-0.75 * inverse) * (1 - 1e-12);  // ties are in
    for (int j = 0; j < count; ++j) {
        if (b.cell[j] < 0) continue;
        const GaussianAxis x(b.fx[j], radius, inverse, shrink), y(b.fy[j], radius, inverse, shrink),
            z(b.fz[j], radius, inverse, shrink);
        const std::int64_t first = b.cell[j] - radius * (target.stride[0] + target.stride[1] + target.stride[2]);
        for (int k = 0; k < width; ++k)
            for (int i = 0; i < width; ++i) {
                const double plane = y.weight[i] * z.weight[k] * b.weight[j];
                const std::int64_t row = first + k * target.stride[2] + i * target.stride[1];
                for (int h = 0; h < width; ++h)
                    Rule::put(cells, row + h * target.stride[0], b.value[j], x.weight[h] * plane, o, corner);
            }
    }
}

template <typename Rule>
void put(const Block& b, int count, const Target& target, const CompoundOptions& o, double* cells) {
    if (o.method == Method::gaussian) return put_gaussian<Rule>(b, count, target, o, cells);
    if (o.method == Method::linear) return put_linear<Rule>(b, count, target, o, cells);
    for (int j = 0; j < count; ++j)
        if (b.cell[j] >= 0) Rule::put(cells, b.cell[j], b.value[j], b.weight[j], o, 1);
}

// Calls add(block, count, target) for each block of pixels. Blocks end at fixed columns, so that runs, and with them
// the order of additions, do not depend on the slab.
template <typename T, typename Add>
void each_block(const FrameStack& frames, const CompoundOptions& o, const Slab& slab, const Add& add) {
    const bool linear = o.method == Method::linear;
    const std::int64_t reach = o.method == Method::gaussian ? o.radius : 0;
    const Target target(slab, linear ? 0 : 0.5, linear ? 1 : reach, reach);
    Block b;
    for (std::int64_t n = 0; n < frames.used; ++n)
        each_row<T>(frames, n, target, [&](const Row<T>& row, Interval columns) {
            for (std::int64_t u = columns.begin, next; u < columns.end; u = next) {
                next = (u / block + 1) * block < columns.end ? (u / block + 1) * block : columns.end;
                const int count = static_cast<int>(next - u);
                locate(row, target, u, count, b);
                add(b, count, target);
            }
        });
}

template <typename T, typename Rule>
void put_all(const FrameStack& frames, const CompoundOptions& o, const Slab& slab) {
    each_block<T>(frames, o, slab, [&](const Block& b, int count, const Target& target) {
        put<Rule>(b, count, target, o, static_cast<double*>(slab.cells));
    });
}

template <typename T>
void scatter_doubles(const FrameStack& frames, const CompoundOptions& o, const Slab& slab) {
    switch (o.mode) {
        case Mode::mean:
            if (o.statistics) return put_all<T, Tally>(frames, o, slab);
            return each_block<T>(frames, o, slab, [&](const Block& b, int count, const Target&) {
                add_nearest(b, count, static_cast<double*>(slab.cells));
            });
        case Mode::maximum:
            return put_all<T, Maximum>(frames, o, slab);
        case Mode::latest:
            return put_all<T, Latest>(frames, o, slab);
        case Mode::vote:
            return put_all<T, Vote>(frames, o, slab);
    }
}

void scatter(const FrameStack& frames, const CompoundOptions& o, const Slab& slab) {
    if (o.mode == Mode::mean && !o.statistics) {
        if (o.method == Method::linear) return USFAST_LEVEL::scatter_linear(frames, slab);
        if (o.method == Method::gaussian) return USFAST_LEVEL::scatter_gaussian(frames, o, slab);
    }
    frames.dtype == Dtype::uint8 ? scatter_doubles<std::uint8_t>(frames, o, slab)
                                 : scatter_doubles<float>(frames, o, slab);
}

}  // namespace

namespace USFAST_LEVEL {
extern const ScatterTable scatter_kernels;
const ScatterTable scatter_kernels{scatter, scatter_packed};
}  // namespace USFAST_LEVEL

}  // namespace usfast
