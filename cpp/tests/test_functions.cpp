#include <cmath>
#include <random>
#include <vector>

#include "check.hpp"
#include "usfast/functions.hpp"

using namespace usfast;

namespace {

constexpr FunctionMethod methods[] = {FunctionMethod::radial_basis, FunctionMethod::rayleigh, FunctionMethod::bspline};

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

FunctionOptions options_of(FunctionMethod method, double reach) {
    FunctionOptions o;
    o.method = method, o.reach = reach, o.iterations = 8, o.compression = 30, o.max_centres = 16;
    o.spacing[0] = 1, o.spacing[1] = 0.8, o.spacing[2] = 1.2;
    return o;
}

void check(const FrameStack& frames, const GridSize& size) {
    const auto voxels = static_cast<std::size_t>(size.x * size.y * size.z);
    for (const FunctionMethod method : methods)
        for (const double reach : {0.3, 2.5}) {
            FunctionOptions o = options_of(method, reach);
            std::vector<float> volume(voxels, -1), weight(voxels, -1), again(voxels, -1), again_weight(voxels, -1);
            CHECK(fit_functions(frames, size, o, volume.data(), weight.data()));
            for (std::size_t i = 0; i < voxels; ++i) {
                CHECK(weight[i] >= 0 && std::isfinite(weight[i]) && std::isfinite(volume[i]));
                if (!(weight[i] > 0)) CHECK(volume[i] == 0);
            }
            o.threads = 3;
            CHECK(fit_functions(frames, size, o, again.data(), again_weight.data()));
            CHECK(volume == again && weight == again_weight);
        }
}

// What reaches all samples is met by all methods but Rayleigh's, which finds the power of a constant.
void check_constant() {
    const std::vector<std::uint8_t> pixels(4 * 12 * 12, 50);
    const std::vector<std::int64_t> index{0, 1, 2, 3};
    const std::vector<double> m = poses(4, 0, 0.05);
    const FrameStack frames{pixels.data(), Dtype::uint8, 12,      12,      4,
                            index.data(),  m.data(),     nullptr, nullptr, {0, 0, 0}};
    const GridSize size{12, 10, 6};
    std::vector<float> volume(720), weight(720);
    for (const FunctionMethod method : methods) {
        CHECK(fit_functions(frames, size, options_of(method, 2), volume.data(), weight.data()));
        for (std::size_t i = 0; i < 720; ++i)
            if (weight[i] > 0) CHECK(std::abs(static_cast<double>(volume[i]) - 50) < 0.01);
    }
    int calls = 0;
    CHECK(!fit_functions(frames, size, options_of(FunctionMethod::rayleigh, 2), volume.data(), weight.data(),
                         [&](std::int64_t, std::int64_t) { return ++calls < 20; }));
}

}  // namespace

int main() {
    check_constant();
    std::mt19937 random(3);
    std::uniform_int_distribution<int> dice(10, 99);
    for (const std::int64_t width : {1, 9})
        for (const std::int64_t height : {1, 13}) {
            const std::int64_t count = 6;
            const auto pixels = static_cast<std::size_t>(count * height * width);
            std::vector<std::uint8_t> bytes(pixels), mask(static_cast<std::size_t>(height * width), 1);
            std::vector<float> floats(pixels), importance(static_cast<std::size_t>(count), 1);
            for (std::size_t i = 0; i < pixels; ++i) bytes[i] = static_cast<std::uint8_t>(dice(random));
            for (std::size_t i = 0; i < pixels; ++i) floats[i] = bytes[i] % 7 ? bytes[i] : NAN;
            mask[mask.size() / 2] = 0, importance[2] = 0;
            const std::vector<std::int64_t> index{0, 2, 3, 5};
            for (const double x : {0.0, -7.5, 1e12, -1e12}) {
                const std::vector<double> m = poses(4, x, 0.2);
                FrameStack frames{bytes.data(), Dtype::uint8, height,  width,   4,
                                  index.data(), m.data(),     nullptr, nullptr, {0, 0, 0}};
                check(frames, {21, 11, 9});
                check(frames, {1, 1, 1});
                frames.pixels = floats.data(), frames.dtype = Dtype::float32, frames.mask = mask.data();
                frames.importance = importance.data(), frames.importance_stride[0] = 1;
                check(frames, {9, 4, 5});
                frames.used = 1;
                check(frames, {4, 5, 6});
            }
            // Pixels on one line, or all in one place.
            const std::vector<double> flat(48, 1.0), none(48, 0.0);
            for (const auto& m : {flat, none}) {
                const FrameStack frames{bytes.data(), Dtype::uint8, height,  width,   4,
                                        index.data(), m.data(),     nullptr, nullptr, {0, 0, 0}};
                check(frames, {5, 5, 5});
            }
        }
}
