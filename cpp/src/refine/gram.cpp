#include "gram.hpp"

#include <cmath>
#include <cstring>

namespace usfast {
namespace {

using Float4 = float __attribute__((vector_size(16)));
using Float8 = float __attribute__((vector_size(32)));
using Long2 = std::int64_t __attribute__((vector_size(16)));

constexpr int block = 64, lanes = 8;

struct Line {
    double base[3], step[3];  // voxel of pixel u: step u + base
    double pivot[3];
    float spacing[3];
};

// Pixels of a block: the cell they lie in, where in it, and how far from the pivot (mm).
struct Places {
    std::int32_t cell[3][block];
    float fraction[3][block];
    float arm[3][block];
};

struct Features {
    alignas(32) float value[features][block];
};

inline std::int32_t floor_int(double p) {
    // Pixels far outside stay outside, and the conversion defined.
    p = p < -1e9 ? -1e9 : p;
    p = p > 1e9 ? 1e9 : p;
    const auto truncated = static_cast<std::int32_t>(p);
    return truncated - (static_cast<double>(truncated) > p);
}

inline void locate(const Line& line, std::int64_t u, int count, Places& places) {
    for (int a = 0; a < 3; ++a)
        for (int j = 0; j < count; ++j) {
            const double p = line.step[a] * static_cast<double>(u + j) + line.base[a];
            places.cell[a][j] = floor_int(p);
            places.fraction[a][j] = static_cast<float>(p - static_cast<double>(places.cell[a][j]));
            places.arm[a][j] = static_cast<float>(p - line.pivot[a]) * line.spacing[a];
        }
}

// True where a whole block lies beyond one face of the volume.
inline bool misses(const Line& line, const std::int64_t* size, std::int64_t u, int count) {
    for (int a = 0; a < 3; ++a) {
        const double first = line.step[a] * static_cast<double>(u) + line.base[a];
        const double last = line.step[a] * static_cast<double>(u + count - 1) + line.base[a];
        const auto far = static_cast<double>(size[a] - 1);
        if ((first < 0 && last < 0) || (first >= far && last >= far)) return true;
    }
    return false;
}

inline std::int64_t load8(const float* p) {
    std::int64_t bits;
    std::memcpy(&bits, p, 8);
    return bits;
}

struct Sample {
    float value, x, y, z;  // of the slice, and its derivative by voxel
};

// Trilinear value and derivative in the cell whose first voxel is `p`: along z, then y, then x.
inline Sample sample(const float* p, std::int64_t sy, std::int64_t sz, float fx, float fy, float fz) {
    const auto low = reinterpret_cast<Float4>(Long2{load8(p), load8(p + sy)});
    const auto high = reinterpret_cast<Float4>(Long2{load8(p + sz), load8(p + sz + sy)});
    const Float4 by_z = high - low, plane = low + by_z * fz;
    // Lanes 0, 1: the plane's derivative by y and its value there; 2, 3: the derivative by z.
    const Float4 front = __builtin_shufflevector(plane, by_z, 0, 1, 4, 5);
    const Float4 step = __builtin_shufflevector(plane, by_z, 2, 3, 6, 7) - front;
    const Float4 row = front + step * fy;
    return {row[0] + (row[1] - row[0]) * fx, row[1] - row[0], step[0] + (step[1] - step[0]) * fx,
            row[2] + (row[3] - row[2]) * fx};
}

inline void leave_out(Features& f, int j) {
    for (int i = 0; i < features; ++i) f.value[i][j] = 0;
}

// Fills column j of the features where the pixel counts.
inline bool measure(const FixedVolume& volume, const Line& line, const Places& p, float pixel, int j, Features& f) {
    const std::int64_t x = p.cell[0][j], y = p.cell[1][j], z = p.cell[2][j];
    const GridSize& n = volume.size;
    if (!std::isfinite(pixel) || x < 0 || y < 0 || z < 0 || x >= n.x - 1 || y >= n.y - 1 || z >= n.z - 1) return false;
    const float* corner = volume.voxels + (z * n.y + y) * n.x + x;
    const Sample s = sample(corner, n.x, n.x * n.y, p.fraction[0][j], p.fraction[1][j], p.fraction[2][j]);
    if (!std::isfinite(s.value)) return false;
    const float gx = s.x / line.spacing[0], gy = s.y / line.spacing[1], gz = s.z / line.spacing[2];
    const float ax = p.arm[0][j], ay = p.arm[1][j], az = p.arm[2][j];
    const float column[features] = {
        1, pixel, s.value, gx, gy, gz, ay * gz - az * gy, az * gx - ax * gz, ax * gy - ay * gx};
    for (int i = 0; i < features; ++i) f.value[i][j] = column[i];
    return true;
}

inline void accumulate(const Features& f, int count, double sums[features][features]) {
    for (int i = 0; i < features; ++i)
        for (int j = 0; j <= i; ++j) {
            Float8 sum = {};
            for (int k = 0; k < count; k += lanes) {
                Float8 left, right;
                std::memcpy(&left, f.value[i] + k, sizeof left);
                std::memcpy(&right, f.value[j] + k, sizeof right);
                sum += left * right;
            }
            sums[i][j] +=
                static_cast<double>(((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7])));
        }
}

}  // namespace

void gram(const FixedVolume& volume, const float* pixels, std::int64_t height, std::int64_t width, const double* matrix,
          const double* pivot, double sums[features][features]) {
    const std::int64_t size[3] = {volume.size.x, volume.size.y, volume.size.z};
    Line line;
    for (int a = 0; a < 3; ++a) {
        line.step[a] = matrix[4 * a];
        line.pivot[a] = pivot[a];
        line.spacing[a] = static_cast<float>(volume.spacing[a]);
    }
    Places places;
    Features found;
    for (std::int64_t v = 0; v < height; ++v, pixels += width) {
        for (int a = 0; a < 3; ++a) line.base[a] = matrix[4 * a + 1] * static_cast<double>(v) + matrix[4 * a + 3];
        for (std::int64_t u = 0; u < width; u += block) {
            const int count = static_cast<int>(width - u < block ? width - u : block);
            if (misses(line, size, u, count)) continue;
            locate(line, u, count, places);
            bool any = false;
            for (int j = 0; j < count; ++j) {
                if (measure(volume, line, places, pixels[u + j], j, found))
                    any = true;
                else
                    leave_out(found, j);
            }
            const int padded = (count + lanes - 1) / lanes * lanes;
            for (int j = count; j < padded; ++j) leave_out(found, j);
            if (any) accumulate(found, padded, sums);
        }
    }
}

}  // namespace usfast
