// Which voxels does a pixel reach, and what does it add there? One row of one frame at a time: the columns that can
// reach the slab are found in closed form, located in blocks that the compiler vectorises, then scattered in order.
#include "scatter.hpp"

#include <cmath>

#include "../dispatch/level.hpp"

namespace usfast {
namespace {

using Pair = double __attribute__((vector_size(16)));
using TwoPairs = double __attribute__((vector_size(32), aligned(16)));

template <typename A, typename B>
constexpr bool same = false;
template <typename A>
constexpr bool same<A, A> = true;

constexpr int block = 64;
constexpr int max_width = 33;  // widest Gaussian kernel

// A block of pixels of one row: cells in the slab (-1 = leave out), offsets in the voxel, values, importance.
struct Block {
    std::int64_t cell[block];
    double fx[block], fy[block], fz[block];
    double value[block], weight[block];
};

struct Interval {
    std::int64_t begin, end;
};

// Columns u for which low <= a + b u <= high can hold; a little more than that rather than less.
inline void narrow(Interval& columns, double a, double b, double low, double high) {
    if (b < 0) {
        const double t = -low;
        low = -high, high = t, a = -a, b = -b;
    }
    if (b < 1e-12) {
        // Less than a thousandth of a voxel over any row: in or out as a whole.
        if (a < low - 1 || a > high + 1) columns.end = columns.begin;
        return;
    }
    const double first = (low - a) / b - 1, last = (high - a) / b + 2;
    if (first > static_cast<double>(columns.begin))
        columns.begin = first < static_cast<double>(columns.end) ? static_cast<std::int64_t>(first) : columns.end;
    if (last < static_cast<double>(columns.end))
        columns.end = last > static_cast<double>(columns.begin) ? static_cast<std::int64_t>(last) : columns.begin;
}

inline std::int32_t floor_int(double p) {
    // Pixels far outside stay outside, and the conversion defined.
    p = p < -1e9 ? -1e9 : p;
    p = p > 1e9 ? 1e9 : p;
    const auto truncated = static_cast<std::int32_t>(p);
    return truncated - (static_cast<double>(truncated) > p);
}

// How the cells of a slab are addressed and which pixels reach it: those whose first voxel (floor for linear, nearest
// otherwise) lies in [low, high) on each axis.
struct Target {
    std::int64_t stride_y, stride_z, origin;
    std::int32_t low[3], high[3];

    Target(const Slab& slab, std::int64_t below, std::int64_t above)
        : stride_y(slab.end[0] - slab.begin[0] + 2 * slab.pad),
          stride_z(stride_y * (slab.end[1] - slab.begin[1] + 2 * slab.pad)),
          origin(slab.pad - slab.begin[0] + (slab.pad - slab.begin[1]) * stride_y +
                 (slab.pad - slab.begin[2]) * stride_z) {
        for (int a = 0; a < 3; ++a) {
            low[a] = static_cast<std::int32_t>(slab.begin[a] - below);
            high[a] = static_cast<std::int32_t>(slab.end[a] + above);
        }
    }
};

template <typename T>
struct Row {
    const T* pixels;
    const std::uint8_t* mask;
    const float* importance;
    std::int64_t importance_stride;
    double base[3], step[3];
};

// Pixels [u, u + count) of the row: which cell, how far from its centre, what value and importance.
template <typename T, bool linear>
inline void locate(const Row<T>& row, const Target& target, std::int64_t u, int count, Block& b) {
    const double shift = linear ? 0.0 : 0.5;
    const auto first = static_cast<std::int32_t>(u);
    const auto stride_y = static_cast<std::int32_t>(target.stride_y),
               stride_z = static_cast<std::int32_t>(target.stride_z);
    for (int j = 0; j < count; ++j) {
        const auto column = static_cast<double>(first + j);
        const double px = row.step[0] * column + row.base[0];
        const double py = row.step[1] * column + row.base[1];
        const double pz = row.step[2] * column + row.base[2];
        const std::int32_t x = floor_int(px + shift), y = floor_int(py + shift), z = floor_int(pz + shift);
        b.fx[j] = px - x, b.fy[j] = py - y, b.fz[j] = pz - z;
        const bool reaches = (x >= target.low[0]) & (x < target.high[0]) & (y >= target.low[1]) & (y < target.high[1]) &
                             (z >= target.low[2]) & (z < target.high[2]);
        const std::int64_t cell =
            target.origin + static_cast<std::int64_t>(z) * stride_z + static_cast<std::int64_t>(y) * stride_y + x;
        b.cell[j] = reaches ? cell : -1;
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
struct Add {
    static void put(double* cells, std::int64_t at, double value, double weight, const CompoundOptions&, double) {
        auto* pair = reinterpret_cast<Pair*>(cells) + at;
        *pair += Pair{value * weight, weight};
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

inline void add_linear(const Block& b, int count, const Target& target, double* cells) {
    const std::int64_t sy = 2 * target.stride_y, sz = 2 * target.stride_z;
    for (int j = 0; j < count;) {
        const std::int64_t cell = b.cell[j];
        // Two neighbours along x at once: (value, weight, value, weight).
        TwoPairs run00 = {0, 0, 0, 0}, run10 = run00, run01 = run00, run11 = run00;
        for (; j < count && b.cell[j] == cell; ++j) {
            const double x1 = b.fx[j], x0 = 1 - x1, y1 = b.fy[j], y0 = 1 - y1, v = b.value[j];
            const double z1 = b.fz[j] * b.weight[j], z0 = b.weight[j] - z1;
            const TwoPairs along_x = {x0 * v, x0, x1 * v, x1};
            run00 += along_x * (y0 * z0);
            run10 += along_x * (y1 * z0);
            run01 += along_x * (y0 * z1);
            run11 += along_x * (y1 * z1);
        }
        if (cell < 0) continue;
        double* first = cells + 2 * cell;
        *reinterpret_cast<TwoPairs*>(first) += run00;
        *reinterpret_cast<TwoPairs*>(first + sy) += run10;
        *reinterpret_cast<TwoPairs*>(first + sz) += run01;
        *reinterpret_cast<TwoPairs*>(first + sy + sz) += run11;
    }
}

template <typename Rule>
void put_linear(const Block& b, int count, const Target& target, const CompoundOptions& o, double* cells) {
    const std::int64_t sy = target.stride_y, sz = target.stride_z;
    for (int j = 0; j < count; ++j) {
        if (b.cell[j] < 0) continue;
        const double wx[2] = {1 - b.fx[j], b.fx[j]}, wy[2] = {1 - b.fy[j], b.fy[j]}, wz[2] = {1 - b.fz[j], b.fz[j]};
        for (int corner = 0; corner < 8; ++corner) {
            const int x = corner & 1, y = corner >> 1 & 1, z = corner >> 2;
            Rule::put(cells, b.cell[j] + x + y * sy + z * sz, b.value[j], wx[x] * wy[y] * wz[z], o, 0.125);
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

// The usual kernel sizes: for each of the (2 radius + 1)^2 rows of voxels along x, the sums of a run of pixels around
// one voxel stay in registers. The row is one voxel longer than the kernel, with weight 0.
template <int radius>
void add_gaussian(const Block& b, int count, const Target& target, const CompoundOptions& o, double* cells) {
    constexpr int width = 2 * radius + 1, pairs = radius + 1;
    const double inverse = half_inverse_variance(o.sigma), shrink = std::exp(-2 * inverse);
    TwoPairs along_x[block][pairs];
    double plane[block][width * width];
    for (int j = 0; j < count; ++j) {
        if (b.cell[j] < 0) continue;
        const GaussianAxis x(b.fx[j], radius, inverse, shrink), y(b.fy[j], radius, inverse, shrink),
            z(b.fz[j], radius, inverse, shrink);
        const double v = b.value[j];
        for (int h = 0; h < radius; ++h)
            along_x[j][h] =
                TwoPairs{x.weight[2 * h] * v, x.weight[2 * h], x.weight[2 * h + 1] * v, x.weight[2 * h + 1]};
        along_x[j][radius] = TwoPairs{x.weight[2 * radius] * v, x.weight[2 * radius], 0, 0};
        for (int k = 0; k < width; ++k)
            for (int i = 0; i < width; ++i) plane[j][k * width + i] = y.weight[i] * (z.weight[k] * b.weight[j]);
    }
    for (int begin = 0, end; begin < count; begin = end) {
        const std::int64_t cell = b.cell[begin];
        for (end = begin + 1; end < count && b.cell[end] == cell;) ++end;
        if (cell < 0) continue;
        const std::int64_t first = cell - radius * (1 + target.stride_y + target.stride_z);
        for (int k = 0; k < width; ++k)
            for (int i = 0; i < width; ++i) {
                TwoPairs run[pairs] = {};
                for (int j = begin; j < end; ++j)
                    for (int h = 0; h < pairs; ++h) run[h] += along_x[j][h] * plane[j][k * width + i];
                auto* row =
                    reinterpret_cast<TwoPairs*>(cells + 2 * (first + k * target.stride_z + i * target.stride_y));
                for (int h = 0; h < pairs; ++h) row[h] += run[h];
            }
    }
}

template <typename Rule>
void put_gaussian(const Block& b, int count, const Target& target, const CompoundOptions& o, double* cells) {
    const int radius = o.radius, width = 2 * radius + 1;
    const double inverse = half_inverse_variance(o.sigma);
    const double shrink = std::exp(-2 * inverse), corner = std::exp(-0.75 * inverse) * (1 - 1e-12);  // ties are in
    for (int j = 0; j < count; ++j) {
        if (b.cell[j] < 0) continue;
        const GaussianAxis x(b.fx[j], radius, inverse, shrink), y(b.fy[j], radius, inverse, shrink),
            z(b.fz[j], radius, inverse, shrink);
        const std::int64_t first = b.cell[j] - radius * (1 + target.stride_y + target.stride_z);
        for (int k = 0; k < width; ++k)
            for (int i = 0; i < width; ++i) {
                const double plane = y.weight[i] * z.weight[k] * b.weight[j];
                const std::int64_t row = first + k * target.stride_z + i * target.stride_y;
                for (int h = 0; h < width; ++h) Rule::put(cells, row + h, b.value[j], x.weight[h] * plane, o, corner);
            }
    }
}

template <typename Rule>
void put(const Block& b, int count, const Target& target, const CompoundOptions& o, double* cells) {
    if constexpr (same<Rule, Add>) {
        if (o.method == Method::gaussian && o.radius == 1) return add_gaussian<1>(b, count, target, o, cells);
        if (o.method == Method::gaussian && o.radius == 2) return add_gaussian<2>(b, count, target, o, cells);
        if (o.method == Method::gaussian && o.radius == 3) return add_gaussian<3>(b, count, target, o, cells);
        if (o.method == Method::gaussian) return put_gaussian<Rule>(b, count, target, o, cells);
        if (o.method == Method::linear) return add_linear(b, count, target, cells);
        return add_nearest(b, count, cells);
    } else {
        if (o.method == Method::gaussian) return put_gaussian<Rule>(b, count, target, o, cells);
        if (o.method == Method::linear) return put_linear<Rule>(b, count, target, o, cells);
        for (int j = 0; j < count; ++j)
            if (b.cell[j] >= 0) Rule::put(cells, b.cell[j], b.value[j], 1, o, 1);
    }
}

template <typename T, typename Rule>
void scatter_row(const Row<T>& row, Interval columns, const Target& target, const CompoundOptions& o, double* cells) {
    Block b;
    // Blocks start at fixed columns, so that runs, and with them the order of additions, do not depend on the slab.
    for (std::int64_t u = columns.begin / block * block; u < columns.end; u += block) {
        const int count = static_cast<int>(columns.end - u < block ? columns.end - u : block);
        if (o.method == Method::linear)
            locate<T, true>(row, target, u, count, b);
        else
            locate<T, false>(row, target, u, count, b);
        put<Rule>(b, count, target, o, cells);
    }
}

template <typename T, typename Rule>
void scatter_frame(const FrameStack& frames, std::int64_t n, const Target& target, const CompoundOptions& o,
                   double* cells) {
    const double* m = frames.image_to_voxel + 12 * n;
    const std::int64_t frame = frames.index[n], height = frames.height, width = frames.width;
    const auto* stride = frames.importance_stride;
    // The corners bound the frame: most frames never come near most slabs.
    for (int a = 0; a < 3; ++a) {
        const double sides[2] = {m[4 * a] * static_cast<double>(width - 1),
                                 m[4 * a + 1] * static_cast<double>(height - 1)};
        double least = m[4 * a + 3], most = least;
        for (const double side : sides) (side < 0 ? least : most) += side;
        if (most < target.low[a] - 1 || least > target.high[a] + 1) return;
    }
    for (std::int64_t v = 0; v < height; ++v) {
        Row<T> row{static_cast<const T*>(frames.pixels) + (frame * height + v) * width,
                   frames.mask ? frames.mask + v * width : nullptr,
                   frames.importance ? frames.importance + frame * stride[0] + v * stride[1] : nullptr,
                   stride[2],
                   {},
                   {}};
        Interval columns{0, width};
        for (int a = 0; a < 3; ++a) {
            row.step[a] = m[4 * a];
            row.base[a] = m[4 * a + 1] * static_cast<double>(v) + m[4 * a + 3];
            narrow(columns, row.base[a], row.step[a], target.low[a] - 1, target.high[a] + 1);
        }
        if (columns.begin < columns.end) scatter_row<T, Rule>(row, columns, target, o, cells);
    }
}

template <typename T, typename Rule>
void scatter_frames(const FrameStack& frames, const CompoundOptions& o, const Slab& slab) {
    const bool linear = o.method == Method::linear;
    const std::int64_t reach = o.method == Method::gaussian ? o.radius : 0;
    const Target target(slab, linear ? 1 : reach, reach);
    for (std::int64_t n = 0; n < frames.used; ++n)
        scatter_frame<T, Rule>(frames, n, target, o, static_cast<double*>(slab.cells));
}

template <typename T>
void scatter_typed(const FrameStack& frames, const CompoundOptions& o, const Slab& slab) {
    switch (o.mode) {
        case Mode::mean:
            return scatter_frames<T, Add>(frames, o, slab);
        case Mode::maximum:
            return scatter_frames<T, Maximum>(frames, o, slab);
        case Mode::latest:
            return scatter_frames<T, Latest>(frames, o, slab);
        case Mode::vote:
            return scatter_frames<T, Vote>(frames, o, slab);
    }
}

void scatter(const FrameStack& frames, const CompoundOptions& o, const Slab& slab) {
    frames.dtype == Dtype::uint8 ? scatter_typed<std::uint8_t>(frames, o, slab) : scatter_typed<float>(frames, o, slab);
}

}  // namespace

namespace USFAST_LEVEL {
extern const ScatterTable scatter_kernels;
const ScatterTable scatter_kernels{scatter};
}  // namespace USFAST_LEVEL

}  // namespace usfast
