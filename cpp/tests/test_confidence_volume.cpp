// The map of a random volume is harmonic: every voxel that is sought is the weighted mean of its neighbours. The
// weights are computed here once more, voxel by voxel.
#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "check.hpp"
#include "usfast/confidence_volume.hpp"

using namespace usfast;

namespace {

constexpr double eps = 0x1p-52, beta = 90, gamma_ = 0.05;

struct Cube {
    std::int64_t shape[3];
    int axis;
    std::vector<double> a;
    std::vector<std::uint8_t> state;
    std::size_t at(const std::int64_t p[3]) const {
        return static_cast<std::size_t>((p[0] * shape[1] + p[1]) * shape[2] + p[2]);
    }

    // use(voxel, neighbour, along the beam)
    template <typename Use>
    void each_edge(const Use& use) const {
        for (std::int64_t z = 0; z < shape[0]; ++z)
            for (std::int64_t y = 0; y < shape[1]; ++y)
                for (std::int64_t x = 0; x < shape[2]; ++x)
                    for (int k = 0; k < 27; ++k) {
                        const std::int64_t step[3] = {k / 9 - 1, k / 3 % 3 - 1, k % 3 - 1};
                        const std::int64_t p[3] = {z, y, x}, q[3] = {z + step[0], y + step[1], x + step[2]};
                        bool within = k != 13, along = true;
                        for (int i = 0; i < 3; ++i) {
                            within = within && q[i] >= 0 && q[i] < shape[i];
                            along = along && (step[i] != 0) == (i == axis);
                        }
                        if (within && state[at(p)] != 3 && state[at(q)] != 3) use(at(p), at(q), along);
                    }
    }
};

// Largest difference of a voxel that is sought from the mean of its neighbours.
double residual(const Cube& cube, const std::vector<double>& map) {
    double most[2] = {};
    const auto difference = [&](std::size_t p, std::size_t q) { return std::abs(cube.a[p] - cube.a[q]); };
    cube.each_edge([&](std::size_t p, std::size_t q, bool along) {
        most[along ? 1 : 0] = std::max(most[along ? 1 : 0], difference(p, q));
    });
    const double first = std::max(most[0], most[1]) + eps;
    const double second = std::max(most[1] / first, most[0] / first + gamma_) + eps;
    std::vector<double> sum(map.size(), 0), weights(map.size(), 0);
    cube.each_edge([&](std::size_t p, std::size_t q, bool along) {
        const double w = std::exp(-beta * (difference(p, q) / first + (along ? 0 : gamma_)) / second) + 1e-5;
        sum[p] += w * map[q], weights[p] += w;
    });
    double worst = 0;
    for (std::size_t p = 0; p < map.size(); ++p)
        if (cube.state[p] == 0 && weights[p] > 0) worst = std::max(worst, std::abs(sum[p] / weights[p] - map[p]));
    return worst;
}

Cube random_cube(std::int64_t z, std::int64_t y, std::int64_t x, int axis, bool holes, std::mt19937& random) {
    Cube cube{{z, y, x}, axis, {}, {}};
    std::uniform_real_distribution<double> uniform(0, 1);
    for (std::int64_t i = 0; i < z * y * x; ++i) {
        const std::int64_t p[3] = {i / (x * y), i / x % y, i % x};
        cube.a.push_back(uniform(random));
        const bool hole = holes && uniform(random) < 0.3;
        cube.state.push_back(hole ? 3 : p[axis] == 0 ? 1 : p[axis] == cube.shape[axis] - 1 ? 2 : 0);
    }
    return cube;
}

std::vector<double> map_of(const Cube& cube, int threads, double tolerance) {
    std::vector<double> out(cube.a.size());
    const ConfidenceVolumeOptions options{beta, gamma_, tolerance, cube.axis, 300, threads};
    const ConfidenceVolumeResult result =
        confidence_volume(cube.shape, cube.a.data(), cube.state.data(), options, out.data());
    CHECK(result.end == ConfidenceEnd::converged);
    return out;
}

}  // namespace

int main() {
    std::mt19937 random(1);
    const std::int64_t sizes[][3] = {{1, 1, 1}, {1, 5, 1}, {3, 3, 3}, {1, 20, 30}, {7, 12, 9}, {20, 26, 41}};
    for (const auto& size : sizes)
        for (int axis = 0; axis < 3; ++axis)
            for (const bool holes : {false, true}) {
                const Cube cube = random_cube(size[0], size[1], size[2], axis, holes, random);
                const std::vector<double> map = map_of(cube, 1, 1e-7);
                CHECK(map == map_of(cube, 3, 1e-7));
                CHECK(residual(cube, map) < 1e-6);
                for (const double value : map) CHECK(value >= 0 && value <= 1);
            }
    const Cube slabs = random_cube(36, 62, 62, 1, false, random);
    CHECK(map_of(slabs, 1, 0.1) == map_of(slabs, 3, 0.1));
    const Cube cube = random_cube(20, 20, 20, 1, false, random);
    std::vector<double> out(cube.a.size());
    for (const int calls : {0, 1, 5, 20}) {
        int left = calls;
        const ConfidenceVolumeResult result =
            confidence_volume(cube.shape, cube.a.data(), cube.state.data(), {beta, gamma_, 1e-6, 1, 300, 2}, out.data(),
                              [&](std::int64_t, std::int64_t) { return left-- > 0; });
        CHECK(result.end == ConfidenceEnd::stopped);
    }
    const ConfidenceVolumeOptions short_run{beta, gamma_, 1e-6, 1, 3, 1};
    CHECK(confidence_volume(cube.shape, cube.a.data(), cube.state.data(), short_run, out.data()).end ==
          ConfidenceEnd::stalled);
    return 0;
}
