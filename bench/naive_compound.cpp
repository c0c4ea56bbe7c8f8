// Compounding as one would first write it in C++: one thread, one pixel and one voxel at a time, sums in single
// precision. bench/compound.py compiles this with the system's compiler and calls it through ctypes.
#include <cmath>
#include <cstdint>

namespace {

struct Volume {
    std::int64_t nx, ny, nz;
    float *sum, *weight;

    void add(std::int64_t x, std::int64_t y, std::int64_t z, float value, float share) const {
        if (x < 0 || x >= nx || y < 0 || y >= ny || z < 0 || z >= nz) return;
        const std::int64_t at = (z * ny + y) * nx + x;
        sum[at] += value * share;
        weight[at] += share;
    }
};

// Calls put(x, y, z, value) with the place of each pixel, voxels.
template <typename Put>
void each_pixel(const std::uint8_t* frames, std::int64_t count, std::int64_t height, std::int64_t width,
                const double* image_to_voxel, const Put& put) {
    for (std::int64_t n = 0; n < count; ++n)
        for (std::int64_t v = 0; v < height; ++v)
            for (std::int64_t u = 0; u < width; ++u) {
                const double* m = image_to_voxel + 12 * n;
                const double a = static_cast<double>(u), b = static_cast<double>(v);
                put(m[0] * a + m[1] * b + m[3], m[4] * a + m[5] * b + m[7], m[8] * a + m[9] * b + m[11],
                    static_cast<float>(frames[(n * height + v) * width + u]));
            }
}

void divide(const Volume& volume) {
    const std::int64_t voxels = volume.nx * volume.ny * volume.nz;
    for (std::int64_t i = 0; i < voxels; ++i)
        volume.sum[i] = volume.weight[i] > 0 ? volume.sum[i] / volume.weight[i] : 0;
}

}  // namespace

// `sum` and `weight` (nz, ny, nx) hold zeros; `sum` becomes the mean.
extern "C" void nearest(const std::uint8_t* frames, std::int64_t count, std::int64_t height, std::int64_t width,
                        const double* image_to_voxel, std::int64_t nx, std::int64_t ny, std::int64_t nz, float* sum,
                        float* weight) {
    const Volume volume{nx, ny, nz, sum, weight};
    each_pixel(frames, count, height, width, image_to_voxel, [&](double x, double y, double z, float value) {
        volume.add(static_cast<std::int64_t>(std::floor(x + 0.5)), static_cast<std::int64_t>(std::floor(y + 0.5)),
                   static_cast<std::int64_t>(std::floor(z + 0.5)), value, 1);
    });
    divide(volume);
}

extern "C" void linear(const std::uint8_t* frames, std::int64_t count, std::int64_t height, std::int64_t width,
                       const double* image_to_voxel, std::int64_t nx, std::int64_t ny, std::int64_t nz, float* sum,
                       float* weight) {
    const Volume volume{nx, ny, nz, sum, weight};
    each_pixel(frames, count, height, width, image_to_voxel, [&](double x, double y, double z, float value) {
        const double x0 = std::floor(x), y0 = std::floor(y), z0 = std::floor(z);
        const auto fx = static_cast<float>(x - x0), fy = static_cast<float>(y - y0), fz = static_cast<float>(z - z0);
        for (int k = 0; k < 2; ++k)
            for (int j = 0; j < 2; ++j)
                for (int i = 0; i < 2; ++i)
                    volume.add(static_cast<std::int64_t>(x0) + i, static_cast<std::int64_t>(y0) + j,
                               static_cast<std::int64_t>(z0) + k, value,
                               (i ? fx : 1 - fx) * (j ? fy : 1 - fy) * (k ? fz : 1 - fz));
    });
    divide(volume);
}

extern "C" void gaussian(const std::uint8_t* frames, std::int64_t count, std::int64_t height, std::int64_t width,
                         const double* image_to_voxel, std::int64_t nx, std::int64_t ny, std::int64_t nz, float* sum,
                         float* weight) {
    constexpr int radius = 2;  // sigma is one voxel
    const Volume volume{nx, ny, nz, sum, weight};
    each_pixel(frames, count, height, width, image_to_voxel, [&](double x, double y, double z, float value) {
        const double place[3] = {x, y, z};
        std::int64_t centre[3];
        float share[3][2 * radius + 1];
        for (int a = 0; a < 3; ++a) {
            centre[a] = static_cast<std::int64_t>(std::floor(place[a] + 0.5));
            for (int k = -radius; k <= radius; ++k) {
                const auto d = static_cast<float>(place[a] - static_cast<double>(centre[a] + k));
                share[a][radius + k] = std::exp(-0.5F * d * d);
            }
        }
        for (int k = -radius; k <= radius; ++k)
            for (int j = -radius; j <= radius; ++j)
                for (int i = -radius; i <= radius; ++i)
                    volume.add(centre[0] + i, centre[1] + j, centre[2] + k, value,
                               share[0][radius + i] * share[1][radius + j] * share[2][radius + k]);
    });
    divide(volume);
}
