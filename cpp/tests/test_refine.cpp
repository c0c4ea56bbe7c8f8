#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "usfast/refine.hpp"

using namespace usfast;

namespace {

struct Found {
    std::vector<double> ncc, gradient, hessian;
    std::vector<std::int64_t> used;
};

Found match(const FixedVolume& volume, const MovingFrames& frames, int threads) {
    const auto n = static_cast<std::size_t>(frames.count);
    Found found{std::vector<double>(n), std::vector<double>(6 * n), std::vector<double>(36 * n),
                std::vector<std::int64_t>(n)};
    CHECK(match_frames(volume, frames, threads,
                       {found.ncc.data(), found.used.data(), found.gradient.data(), found.hessian.data()}));
    return found;
}

}  // namespace

int main() {
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    // A smooth volume, with a hole; slices in the planes z = 2, 3, .. of a frame cut out of it, moved by a bit.
    constexpr std::int64_t x = 40, y = 30, z = 12;
    std::vector<float> voxels(x * y * z);
    for (std::int64_t k = 0; k < z; ++k)
        for (std::int64_t j = 0; j < y; ++j)
            for (std::int64_t i = 0; i < x; ++i)
                voxels[static_cast<std::size_t>((k * y + j) * x + i)] =
                    std::sin(0.3F * static_cast<float>(i) + 0.2F * static_cast<float>(k)) *
                        std::cos(0.25F * static_cast<float>(j)) +
                    0.01F * normal(random);
    voxels[5 * y * x + 7 * x + 9] = std::numeric_limits<float>::quiet_NaN();
    const FixedVolume volume{voxels.data(), {x, y, z}, {1.0, 0.5, 2.0}};

    constexpr std::int64_t count = 6, height = 20, width = 33;
    std::vector<float> pixels(count * height * width);
    std::vector<double> matrices(12 * count), pivots(3 * count, 5.0);
    for (std::int64_t n = 0; n < count; ++n) {
        double* m = matrices.data() + 12 * n;
        m[0] = 1, m[5] = 1, m[3] = 2.25, m[7] = 3.5, m[11] = 2.5 + static_cast<double>(n);
        for (std::int64_t v = 0; v < height; ++v)
            for (std::int64_t u = 0; u < width; ++u)
                pixels[static_cast<std::size_t>((n * height + v) * width + u)] =
                    voxels[static_cast<std::size_t>(((2 + n) * y + v + 3) * x + u + 3)];
    }
    for (std::int64_t u = 0; u < height * width; ++u)
        pixels[static_cast<std::size_t>((count - 1) * height * width + u)] = 3;  // a constant frame
    matrices[3] = 1e15;                                                          // the first lies far away
    pixels[height * width + 5] = std::numeric_limits<float>::infinity();
    const MovingFrames frames{pixels.data(), count, height, width, matrices.data(), pivots.data()};

    const Found one = match(volume, frames, 1), three = match(volume, frames, 3);
    CHECK(one.gradient == three.gradient && one.hessian == three.hessian && one.used == three.used);
    CHECK(std::isnan(one.ncc[0]) && one.used[0] == 0);
    CHECK(std::isnan(one.ncc[count - 1]) && one.used[count - 1] == height * width);
    CHECK(one.used[1] == height * width - 1);
    CHECK(one.used[2] < height * width && one.used[2] > height * width - 10);  // around the hole
    for (std::size_t n = 1; n + 1 < count; ++n) CHECK(one.ncc[n] > 0.8 && one.ncc[n] <= 1);

    // The gradient by shift along x is the difference quotient.
    std::vector<double> moved = matrices;
    constexpr double step = 1e-3;
    for (std::int64_t n = 1; n < count; ++n) moved[static_cast<std::size_t>(12 * n + 3)] += step;
    const Found there = match(volume, {pixels.data(), count, height, width, moved.data(), pivots.data()}, 2);
    for (std::size_t n = 1; n + 1 < count; ++n)
        CHECK(std::abs((there.ncc[n] - one.ncc[n]) / step - one.gradient[6 * n]) < 1e-3);
    CHECK(!match_frames(volume, frames, 1,
                        {moved.data(), std::vector<std::int64_t>(count).data(), std::vector<double>(6 * count).data(),
                         std::vector<double>(36 * count).data()},
                        [](std::int64_t, std::int64_t) { return false; }));
    return 0;
}
