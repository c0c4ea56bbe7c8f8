// One row of a slice at a time, in blocks: the places of a block's pixels are found by vector code, then each pixel
// takes the short way (all its voxels inside the volume), the careful way (some outside) or `fill`.
#include "kernel.hpp"

#include <cmath>
#include <cstring>

#include "../dispatch/level.hpp"

namespace usfast {
namespace {

using Float4 = float __attribute__((vector_size(16)));
using Int4 = std::int32_t __attribute__((vector_size(16)));
using Long2 = std::int64_t __attribute__((vector_size(16)));

constexpr int block = 64;
constexpr double spline_edge = 1e-6;  // voxels beyond the outermost centres that still count as inside

// Pixels of a block: the cell they lie in (the voxel below on each axis) and where in it, 0 to 1.
struct Block {
    std::int32_t x[block], y[block], z[block];
    float fx[block], fy[block], fz[block];
    std::int32_t offset[block];  // of the cell's voxel from the first one, where the whole block is inside
};

struct Line {
    double base[3], step[3];  // voxel of pixel u: step u + base
};

inline std::int32_t floor_int(double p) {
    // Pixels far outside stay outside, and the conversion defined.
    p = p < -1e9 ? -1e9 : p;
    p = p > 1e9 ? 1e9 : p;
    const auto truncated = static_cast<std::int32_t>(p);
    return truncated - (static_cast<double>(truncated) > p);
}

// True where a whole block lies beyond one face of the volume.
inline bool misses(const Line& line, const GridSize& size, std::int64_t u, int count) {
    const std::int64_t sizes[3] = {size.x, size.y, size.z};
    for (int a = 0; a < 3; ++a) {
        const double first = line.step[a] * static_cast<double>(u) + line.base[a];
        const double last = line.step[a] * static_cast<double>(u + count - 1) + line.base[a];
        const auto far = static_cast<double>(sizes[a]);
        if ((first < -1 && last < -1) || (first > far && last > far)) return true;
    }
    return false;
}

// Cells as compounding finds them.
inline void locate_axis(double base, double step, std::int32_t first, int count, std::int32_t* cell, float* fraction) {
    for (int j = 0; j < count; ++j) {
        const double p = step * static_cast<double>(first + j) + base;
        cell[j] = floor_int(p);
        fraction[j] = static_cast<float>(p - static_cast<double>(cell[j]));
    }
}

// Do the voxels from `margin` before the cell to `margin` + 1 after it exist on this axis?
inline bool inside(std::int32_t cell, std::int64_t n, int margin) { return cell >= margin && cell < n - 1 - margin; }

inline bool inside(const Block& b, int j, const GridSize& n, int margin) {
    return inside(b.x[j], n.x, margin) && inside(b.y[j], n.y, margin) && inside(b.z[j], n.z, margin);
}

// Does a voxel of the cell exist?
inline bool touches(const Block& b, int j, const GridSize& n) {
    return b.x[j] >= -1 && b.x[j] < n.x && b.y[j] >= -1 && b.y[j] < n.y && b.z[j] >= -1 && b.z[j] < n.z;
}

// Returns true where every pixel of the block is inside: cells change one way along a row, so the ends tell.
inline bool locate(const Line& line, const GridSize& n, std::int64_t u, int count, int margin, Block& b) {
    const auto first = static_cast<std::int32_t>(u);
    locate_axis(line.base[0], line.step[0], first, count, b.x, b.fx);
    locate_axis(line.base[1], line.step[1], first, count, b.y, b.fy);
    locate_axis(line.base[2], line.step[2], first, count, b.z, b.fz);
    if (n.x * n.y * n.z > INT32_MAX || !inside(b, 0, n, margin) || !inside(b, count - 1, n, margin)) return false;
    const auto nx = static_cast<std::int32_t>(n.x), ny = static_cast<std::int32_t>(n.y);
    for (int j = 0; j < count; ++j) b.offset[j] = (b.z[j] * ny + b.y[j]) * nx + b.x[j];
    return true;
}

inline std::int64_t offset(const Block& b, int j, const GridSize& n) { return (b.z[j] * n.y + b.y[j]) * n.x + b.x[j]; }

// The eight voxels of a cell: (x, y) = 00 10 01 11 at z, and the same at z + 1.
struct Corners {
    Float4 low, high;
};

inline std::int64_t load8(const float* p) {
    std::int64_t bits;
    std::memcpy(&bits, p, 8);
    return bits;
}

inline Corners corners(const float* p, std::int64_t sy, std::int64_t sz) {
    const float* q = p + sz;
    return {reinterpret_cast<Float4>(Long2{load8(p), load8(p + sy)}),
            reinterpret_cast<Float4>(Long2{load8(q), load8(q + sy)})};
}
template <typename T>
inline Corners corners(const T* p, std::int64_t sy, std::int64_t sz) {
    const T* q = p + sz;
    return {__builtin_convertvector((Int4{p[0], p[1], p[sy], p[sy + 1]}), Float4),
            __builtin_convertvector((Int4{q[0], q[1], q[sy], q[sy + 1]}), Float4)};
}

// The same for a cell on the border: voxels outside hold `fill`; those that weigh nothing are not looked at.
template <typename T>
Corners border_corners(const T* voxels, const GridSize& n, const Block& b, int j, float fill) {
    float v[8];
    for (int corner = 0; corner < 8; ++corner) {
        const std::int64_t x = b.x[j] + ((corner & 1) && b.fx[j] > 0), y = b.y[j] + ((corner & 2) && b.fy[j] > 0),
                           z = b.z[j] + ((corner & 4) && b.fz[j] > 0);
        const bool inside = x >= 0 && x < n.x && y >= 0 && y < n.y && z >= 0 && z < n.z;
        v[corner] = inside ? static_cast<float>(voxels[(z * n.y + y) * n.x + x]) : fill;
    }
    return {Float4{v[0], v[1], v[2], v[3]}, Float4{v[4], v[5], v[6], v[7]}};
}

// Trilinear value at pixel j: along z, then y, then x. A constant stays what it is.
inline float between(Corners v, const Block& b, int j) {
    const Float4 along_z = v.low + (v.high - v.low) * b.fz[j];
    const Float4 back = __builtin_shufflevector(along_z, along_z, 2, 3, 2, 3);
    const Float4 along_y = along_z + (back - along_z) * b.fy[j];
    return along_y[0] + (along_y[1] - along_y[0]) * b.fx[j];
}

template <typename T>
void linear_block(const T* voxels, const GridSize& n, const Block& b, bool all_inside, int count, float fill,
                  float* out) {
    const std::int64_t sy = n.x, sz = n.x * n.y;
    if (all_inside) {
        for (int j = 0; j < count; ++j) out[j] = between(corners(voxels + b.offset[j], sy, sz), b, j);
        return;
    }
    for (int j = 0; j < count; ++j) {
        if (inside(b, j, n, 0))
            out[j] = between(corners(voxels + offset(b, j, n), sy, sz), b, j);
        else if (touches(b, j, n))
            out[j] = between(border_corners(voxels, n, b, j, fill), b, j);
        else
            out[j] = fill;
    }
}

inline Float4 spline_weights(float f) {
    const float g = 1 - f, sixth = 1.0F / 6;
    return Float4{g * g * g, 4 - 3 * f * f * (2 - f), 4 - 3 * g * g * (2 - g), f * f * f} * sixth;
}

// Index of the voxel that stands for voxel i, the volume being mirrored about its first and last voxel.
inline std::int64_t mirrored(std::int64_t i, std::int64_t n) {
    if (n == 1) return 0;
    while (i < 0 || i >= n) i = i < 0 ? -i : 2 * (n - 1) - i;
    return i;
}

inline float sum4(Float4 v) { return (v[0] + v[1]) + (v[2] + v[3]); }

inline float cubic_inside(const float* p, std::int64_t sy, std::int64_t sz, const Block& b, int j) {
    const Float4 wy = spline_weights(b.fy[j]), wz = spline_weights(b.fz[j]);
    Float4 sum = {};
    p -= 1 + sy + sz;
    for (int k = 0; k < 4; ++k) {
        Float4 plane = {};
        for (int i = 0; i < 4; ++i) {
            Float4 row;
            std::memcpy(&row, p + k * sz + i * sy, 16);
            plane += row * wy[i];
        }
        sum += plane * wz[k];
    }
    return sum4(sum * spline_weights(b.fx[j]));
}

float cubic_border(const float* c, const GridSize& n, const Block& b, int j) {
    const Float4 wx = spline_weights(b.fx[j]), wy = spline_weights(b.fy[j]), wz = spline_weights(b.fz[j]);
    float sum = 0;
    for (int k = 0; k < 4; ++k)
        for (int i = 0; i < 4; ++i)
            for (int h = 0; h < 4; ++h) {
                const std::int64_t x = mirrored(b.x[j] + h - 1, n.x), y = mirrored(b.y[j] + i - 1, n.y),
                                   z = mirrored(b.z[j] + k - 1, n.z);
                sum += c[(z * n.y + y) * n.x + x] * (wx[h] * wy[i] * wz[k]);
            }
    return sum;
}

inline bool within(std::int32_t cell, float fraction, std::int64_t n) {
    const double place = static_cast<double>(cell) + static_cast<double>(fraction);
    return place >= -spline_edge && place <= static_cast<double>(n - 1) + spline_edge;
}

void cubic_block(const float* c, const GridSize& n, const Block& b, bool all_inside, int count, float fill,
                 float* out) {
    const std::int64_t sy = n.x, sz = n.x * n.y;
    if (all_inside) {
        for (int j = 0; j < count; ++j) out[j] = cubic_inside(c + b.offset[j], sy, sz, b, j);
        return;
    }
    for (int j = 0; j < count; ++j) {
        if (inside(b, j, n, 1))
            out[j] = cubic_inside(c + offset(b, j, n), sy, sz, b, j);
        else if (touches(b, j, n) && within(b.x[j], b.fx[j], n.x) && within(b.y[j], b.fy[j], n.y) &&
                 within(b.z[j], b.fz[j], n.z))
            out[j] = cubic_border(c, n, b, j);
        else
            out[j] = fill;
    }
}

void fill_block(float fill, int count, float* out) {
    for (int j = 0; j < count; ++j) out[j] = fill;
}

template <typename T>
void rows_typed(const VoxelArray& volume, const double* m, std::int64_t begin, std::int64_t end, std::int64_t width,
                Order order, float fill, float* out) {
    const T* voxels = static_cast<const T*>(volume.voxels);
    Block b;
    for (std::int64_t v = begin; v < end; ++v, out += width) {
        Line line;
        for (int a = 0; a < 3; ++a) {
            line.step[a] = m[4 * a];
            line.base[a] = m[4 * a + 1] * static_cast<double>(v) + m[4 * a + 3];
        }
        for (std::int64_t u = 0; u < width; u += block) {
            const int count = static_cast<int>(width - u < block ? width - u : block);
            if (misses(line, volume.size, u, count)) {
                fill_block(fill, count, out + u);
                continue;
            }
            const bool all = locate(line, volume.size, u, count, order == Order::cubic ? 1 : 0, b);
            if constexpr (sizeof(T) == sizeof(float))
                if (order == Order::cubic) {
                    cubic_block(voxels, volume.size, b, all, count, fill, out + u);
                    continue;
                }
            linear_block(voxels, volume.size, b, all, count, fill, out + u);
        }
    }
}

void rows(const VoxelArray& volume, const double* m, std::int64_t begin, std::int64_t end, std::int64_t width,
          Order order, float fill, float* out) {
    switch (volume.type) {
        case VoxelType::uint8:
            return rows_typed<std::uint8_t>(volume, m, begin, end, width, order, fill, out);
        case VoxelType::int16:
            return rows_typed<std::int16_t>(volume, m, begin, end, width, order, fill, out);
        case VoxelType::float32:
            return rows_typed<float>(volume, m, begin, end, width, order, fill, out);
    }
}

// Unser, "Splines: a perfect fit for signal and image processing", IEEE Signal Process. Mag. 16 (1999), eq. for the
// cubic: one causal and one anticausal recursion with the pole z = sqrt(3) - 2, started for mirrored ends.
void spline(double* lines, std::int64_t count) {
    if (count < 2) return;
    constexpr int lanes = spline_lanes;
    const double pole = std::sqrt(3.0) - 2, gain = 6;
    const std::int64_t last = count - 1, horizon = last < 60 ? last : 60;  // pole^60 is below rounding
    double start[lanes];
    for (int l = 0; l < lanes; ++l) start[l] = lines[l];
    double there = pole;
    for (std::int64_t k = 1; k < horizon; ++k, there *= pole) {
        const double back = std::pow(pole, static_cast<double>(2 * last - k));
        for (int l = 0; l < lanes; ++l) start[l] += (there + back) * lines[k * lanes + l];
    }
    const double end = std::pow(pole, static_cast<double>(last)), round = std::pow(pole, static_cast<double>(2 * last));
    for (int l = 0; l < lanes; ++l) lines[l] = gain * (start[l] + end * lines[last * lanes + l]) / (1 - round);
    for (std::int64_t k = 1; k < count; ++k)
        for (int l = 0; l < lanes; ++l)
            lines[k * lanes + l] = gain * lines[k * lanes + l] + pole * lines[(k - 1) * lanes + l];
    double* tail = lines + last * lanes;
    for (int l = 0; l < lanes; ++l) tail[l] = pole / (pole * pole - 1) * (tail[l] + pole * tail[l - lanes]);
    for (std::int64_t k = last - 1; k >= 0; --k)
        for (int l = 0; l < lanes; ++l)
            lines[k * lanes + l] = pole * (lines[(k + 1) * lanes + l] - lines[k * lanes + l]);
}

}  // namespace

namespace USFAST_LEVEL {
extern const ResampleTable resample_kernels;
const ResampleTable resample_kernels{rows, spline};
}  // namespace USFAST_LEVEL

}  // namespace usfast
