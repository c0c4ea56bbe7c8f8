// Random frames through every method and mode against a direct sum, at the grid's borders and beyond, and the same
// bits for any number of threads. Run under the sanitizers, this is what shows that no kernel leaves its slab.
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "usfast/compound.hpp"

using namespace usfast;

namespace {

struct Case {
    std::int64_t frames, height, width;
    GridSize size;
    std::vector<std::uint8_t> bytes;
    std::vector<float> floats;
    std::vector<double> poses;
    std::vector<std::int64_t> index;
    std::vector<std::uint8_t> mask;
    std::vector<float> importance;

    FrameStack stack(bool single) const {
        return {single ? static_cast<const void*>(floats.data()) : bytes.data(),
                single ? Dtype::float32 : Dtype::uint8,
                height,
                width,
                frames,
                index.data(),
                poses.data(),
                mask.data(),
                importance.data(),
                {0, width, 1}};
    }
};

Case random_case(std::mt19937& random, double scale) {
    std::uniform_int_distribution<int> byte(0, 255), side(1, 23);
    std::uniform_real_distribution<double> unit(-1, 1);
    Case c{};
    c.frames = 3, c.height = side(random) + 60, c.width = side(random) + 60;
    c.size = {side(random), side(random), side(random)};
    for (std::int64_t i = 0; i < c.frames * c.height * c.width; ++i) {
        c.bytes.push_back(static_cast<std::uint8_t>(byte(random)));
        c.floats.push_back(i % 37 ? static_cast<float>(unit(random)) : std::numeric_limits<float>::quiet_NaN());
    }
    for (std::int64_t i = 0; i < c.height * c.width; ++i) {
        c.mask.push_back(i % 11 != 0);
        c.importance.push_back(static_cast<float>(i % 5) / 4);
    }
    for (std::int64_t n = 0; n < c.frames; ++n) {
        c.index.push_back(n);
        for (int a = 0; a < 12; ++a) c.poses.push_back(a % 4 == 3 ? 12 + 12 * unit(random) : scale * unit(random));
    }
    return c;
}

double weight_along(double p, std::int64_t i, const CompoundOptions& o) {
    const double d = p - static_cast<double>(i), nearest = std::floor(p + 0.5);
    switch (o.method) {
        case Method::nearest:
            return nearest == static_cast<double>(i);
        case Method::linear:
            return std::max(0.0, 1 - std::abs(d));
        case Method::gaussian:
            return std::abs(nearest - static_cast<double>(i)) <= o.radius ? std::exp(-d * d / (2 * o.sigma * o.sigma))
                                                                          : 0;
    }
    return 0;
}

void compare_mean(const Case& c, bool single, const CompoundOptions& o, const std::vector<float>& volume,
                  const std::vector<float>& weight) {
    for (std::int64_t z = 0; z < c.size.z; ++z)
        for (std::int64_t y = 0; y < c.size.y; ++y)
            for (std::int64_t x = 0; x < c.size.x; ++x) {
                double sum = 0, total = 0;
                for (std::int64_t n = 0; n < c.frames; ++n)
                    for (std::int64_t v = 0; v < c.height; ++v)
                        for (std::int64_t u = 0; u < c.width; ++u) {
                            const std::int64_t pixel = v * c.width + u, at = n * c.height * c.width + pixel;
                            const double value = single ? static_cast<double>(c.floats[static_cast<std::size_t>(at)])
                                                        : c.bytes[static_cast<std::size_t>(at)];
                            if (!c.mask[static_cast<std::size_t>(pixel)] || std::isnan(value)) continue;
                            const double* m = c.poses.data() + 12 * n;
                            double w = static_cast<double>(c.importance[static_cast<std::size_t>(pixel)]);
                            const std::int64_t at_voxel[3] = {x, y, z};
                            for (int a = 0; a < 3 && w > 0; ++a)
                                w *= weight_along(m[4 * a] * static_cast<double>(u) +
                                                      (m[4 * a + 1] * static_cast<double>(v) + m[4 * a + 3]),
                                                  at_voxel[a], o);
                            sum += w * value, total += w;
                        }
                const auto i = static_cast<std::size_t>((z * c.size.y + y) * c.size.x + x);
                CHECK(std::abs(static_cast<double>(weight[i]) - total) <= 1e-9 + 1e-6 * total);
                if (total > 1e-6) CHECK(std::abs(static_cast<double>(volume[i]) - sum / total) <= 1e-3);
            }
}

}  // namespace

int main() {
    std::mt19937 random(7);
    for (int repeat = 0; repeat < 4; ++repeat)
        for (const double scale : {0.3, 1e-14, 40.0, 1e12}) {
            const Case c = random_case(random, scale);
            const auto voxels = static_cast<std::size_t>(c.size.x * c.size.y * c.size.z);
            for (const Method method : {Method::nearest, Method::linear, Method::gaussian})
                for (const Mode mode : {Mode::mean, Mode::maximum, Mode::latest, Mode::vote})
                    for (const bool single : {false, true}) {
                        if (mode == Mode::vote && single) continue;
                        CompoundOptions o{method, mode, repeat % 4 + 1, 0.8, mode == Mode::vote ? 256 : 0, 1};
                        std::vector<float> volume(voxels), weight(voxels);
                        CHECK(compound(c.stack(single), c.size, o, volume.data(), weight.data()));
                        if (mode == Mode::mean && repeat == 0 && scale < 1) compare_mean(c, single, o, volume, weight);
                        for (const int threads : {2, 5}) {
                            o.threads = threads;
                            std::vector<float> again(voxels), again_weight(voxels);
                            CHECK(compound(c.stack(single), c.size, o, again.data(), again_weight.data()));
                            CHECK(!std::memcmp(volume.data(), again.data(), mode == Mode::vote ? voxels : 4 * voxels));
                            CHECK(weight == again_weight);
                        }
                    }
        }
}
