#include <cmath>
#include <random>
#include <vector>

#include "check.hpp"
#include "usfast/interpolate.hpp"

using namespace usfast;

namespace {

constexpr VoxelMethod methods[] = {VoxelMethod::voxel_nearest, VoxelMethod::inverse_distance,
                                   VoxelMethod::trajectory,    VoxelMethod::squared_distance,
                                   VoxelMethod::adaptive,      VoxelMethod::median};

// Frames across z, each turned a little, shifted along x by `x`.
std::vector<double> poses(std::int64_t count, double x, double turn) {
    std::vector<double> m;
    for (std::int64_t i = 0; i < count; ++i) {
        const double angle = turn * static_cast<double>(i), c = std::cos(angle), s = std::sin(angle);
        for (const double value : {c, 0.1, 0.0, x, 0.0, 1.0, 0.0, -2.0, s, 0.0, 0.0, 1.3 * static_cast<double>(i)})
            m.push_back(value);
    }
    return m;
}

void check(const FrameStack& frames, const GridSize& size, double low, double high) {
    const auto voxels = static_cast<std::size_t>(size.x * size.y * size.z);
    for (const VoxelMethod method : methods)
        for (const double reach : {0.3, 1.5, 1e6}) {
            if (reach > 1000 && method >= VoxelMethod::squared_distance && voxels > 1000) continue;
            InterpolateOptions o{method, {1, 0.8, 1.2}, reach, 0.1, 2, 5, 1};
            std::vector<float> volume(voxels, -1), weight(voxels, -1), again(voxels, -1), again_weight(voxels, -1);
            CHECK(interpolate(frames, size, o, volume.data(), weight.data()));
            for (std::size_t i = 0; i < voxels; ++i) {
                CHECK(weight[i] >= 0 && std::isfinite(weight[i]));
                if (weight[i] > 0)
                    CHECK(static_cast<double>(volume[i]) >= low - 1e-4 &&
                          static_cast<double>(volume[i]) <= high + 1e-4);
                else
                    CHECK(volume[i] == 0);
            }
            o.threads = 3;
            CHECK(interpolate(frames, size, o, again.data(), again_weight.data()));
            CHECK(volume == again && weight == again_weight);
        }
}

}  // namespace

int main() {
    std::mt19937 random(3);
    std::uniform_int_distribution<int> dice(10, 99);
    for (const std::int64_t width : {1, 2, 9})
        for (const std::int64_t height : {1, 13}) {
            const std::int64_t count = 6;
            const auto pixels = static_cast<std::size_t>(count * height * width);
            std::vector<std::uint8_t> bytes(pixels), mask(static_cast<std::size_t>(height * width), 1);
            std::vector<float> floats(pixels), importance(static_cast<std::size_t>(count), 1);
            for (std::size_t i = 0; i < pixels; ++i) bytes[i] = static_cast<std::uint8_t>(dice(random));
            for (std::size_t i = 0; i < pixels; ++i) floats[i] = bytes[i] % 7 ? bytes[i] : NAN;
            mask[mask.size() / 2] = 0, importance[2] = 0;
            const std::vector<std::int64_t> index{0, 2, 3, 5};
            for (const double x : {0.0, -7.5, 1e12, -1e12})
                for (const double turn : {0.0, 0.2, 2.0}) {
                    const std::vector<double> m = poses(4, x, turn);
                    FrameStack frames{bytes.data(), Dtype::uint8, height,  width,   4,
                                      index.data(), m.data(),     nullptr, nullptr, {0, 0, 0}};
                    check(frames, {37, 19, 11}, 10, 99);
                    check(frames, {1, 1, 1}, 10, 99);
                    check(frames, {3, 4, 5}, 10, 99);
                    frames.pixels = floats.data(), frames.dtype = Dtype::float32, frames.mask = mask.data();
                    frames.importance = importance.data(), frames.importance_stride[0] = 1;
                    check(frames, {37, 19, 11}, 10, 99);
                    frames.used = 1;
                    check(frames, {4, 5, 6}, 10, 99);
                }
            // Pixels on one line, or all in one place: no plane, no value.
            const std::vector<double> flat(48, 1.0), none(48, 0.0);
            for (const auto& m : {flat, none}) {
                const FrameStack frames{bytes.data(), Dtype::uint8, height,  width,   4,
                                        index.data(), m.data(),     nullptr, nullptr, {0, 0, 0}};
                check(frames, {5, 5, 5}, 10, 99);
            }
        }
}
