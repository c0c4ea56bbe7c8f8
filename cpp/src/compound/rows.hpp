// Which pixels of which rows of a frame reach a slab. Included by kernels that are compiled for each level.
#pragma once

#include <cstdint>

#include "scatter.hpp"

namespace usfast {
namespace {

template <typename A, typename B>
constexpr bool same = false;
template <typename A>
constexpr bool same<A, A> = true;

struct Interval {
    std::int64_t begin, end;
};

// Numbers t of the interval for which low <= a + b t < high can hold; a few more than that rather than one less.
inline void narrow(Interval& interval, double a, double b, double low, double high) {
    if (b < 0) {
        const double t = -low;
        low = -high, high = t, a = -a, b = -b;
    }
    if (b < 1e-12) {
        // Less than a thousandth of a voxel over any row: in or out as a whole.
        if (b == 0 ? a < low || a >= high : a < low - 1 || a > high + 1) interval.end = interval.begin;
        return;
    }
    // Rounding moves the ends by far less than the margin.
    const double margin = b > 1e-6 && a > -1e6 && a < 1e6 ? 1e-3 : 1;
    const double first = (low - a) / b - margin, last = (high - a) / b + margin + 1;
    if (first > static_cast<double>(interval.begin))
        interval.begin = first < static_cast<double>(interval.end) ? static_cast<std::int64_t>(first) : interval.end;
    if (last < static_cast<double>(interval.end))
        interval.end = last > static_cast<double>(interval.begin) ? static_cast<std::int64_t>(last) : interval.begin;
}

inline std::int32_t floor_int(double p) {
    const auto truncated = static_cast<std::int32_t>(p);
    return truncated - (static_cast<double>(truncated) > p);
}

// cell + voxel * stride. In a far corner of a huge grid the parts leave 32 bits, their sum does not: so modulo 2^32.
inline std::int32_t stepped(std::int32_t cell, std::int32_t voxel, std::int64_t stride) {
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(cell) +
                                     static_cast<std::uint32_t>(voxel) * static_cast<std::uint32_t>(stride));
}

// How the cells of a slab are addressed and which pixels reach it: those whose first voxel, floor(p + shift), lies in
// [low, high) on each axis. `below` and `above`: how many voxels outside the slab that voxel may lie.
struct Target {
    double shift;
    std::int64_t stride[3], origin;  // cells
    std::int32_t low[3], high[3];

    Target(const Slab& slab, double shift_, std::int64_t below, std::int64_t above) : shift(shift_), origin(0) {
        std::int64_t step = 1;
        for (const int a : slab.order) {
            stride[a] = step;
            step *= extent(slab, a);
            origin += (slab.pad - slab.begin[a]) * stride[a];
        }
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

    double at(int axis, std::int64_t u) const { return step[axis] * static_cast<double>(u) + base[axis]; }

    bool reaches(const Target& target, std::int64_t u) const {
        bool inside = true;
        for (int a = 0; a < 3; ++a) {
            const double p = at(a, u) + target.shift;
            inside &= (p >= target.low[a]) & (p < target.high[a]);
        }
        return inside;
    }
};

// Calls visit(row, columns) for each row of frame n with the columns whose pixels reach the slab. Places along a row
// are monotonous, rounding included: what lies between two pixels that reach it does too. Returns whether any row may.
template <typename T, typename Visit>
bool each_row(const FrameStack& frames, std::int64_t n, const Target& target, const Visit& visit) {
    const double* m = frames.image_to_voxel + 12 * n;
    const std::int64_t frame = frames.index[n], height = frames.height, width = frames.width;
    const auto* stride = frames.importance_stride;
    Interval rows{0, height};
    for (int a = 0; a < 3; ++a) {
        const double side = m[4 * a] * static_cast<double>(width - 1), most = side > 0 ? side : 0, least = side - most;
        const double margin = 1e-3 + 1e-12 * (most - least);
        narrow(rows, m[4 * a + 3] + target.shift, m[4 * a + 1], target.low[a] - most - margin,
               target.high[a] - least + margin);
    }
    for (std::int64_t v = rows.begin; v < rows.end; ++v) {
        Interval columns{0, width};
        if (frames.columns) columns = {frames.columns[2 * v], frames.columns[2 * v + 1]};
        Row<T> row{static_cast<const T*>(frames.pixels) + (frame * height + v) * width,
                   frames.mask ? frames.mask + v * width : nullptr,
                   frames.importance ? frames.importance + frame * stride[0] + v * stride[1] : nullptr,
                   stride[2],
                   {},
                   {}};
        for (int a = 0; a < 3; ++a) {
            row.step[a] = m[4 * a];
            row.base[a] = m[4 * a + 1] * static_cast<double>(v) + m[4 * a + 3];
            narrow(columns, row.base[a] + target.shift, row.step[a], target.low[a], target.high[a]);
        }
        while (columns.begin < columns.end && !row.reaches(target, columns.begin)) ++columns.begin;
        while (columns.begin < columns.end && !row.reaches(target, columns.end - 1)) --columns.end;
        if (columns.begin < columns.end) visit(row, columns);
    }
    return rows.begin < rows.end;
}

}  // namespace
}  // namespace usfast
