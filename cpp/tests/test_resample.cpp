#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "usfast/resample.hpp"

using namespace usfast;

namespace {

template <typename T>
constexpr VoxelType type_of = VoxelType::float32;
template <>
constexpr VoxelType type_of<std::uint8_t> = VoxelType::uint8;
template <>
constexpr VoxelType type_of<std::int16_t> = VoxelType::int16;

// The volume x + 2 y + 3 z comes back between the outermost voxels.
template <typename T>
void check_ramp(const GridSize& size) {
    std::vector<T> voxels;
    for (int z = 0; z < size.z; ++z)
        for (int y = 0; y < size.y; ++y)
            for (int x = 0; x < size.x; ++x) voxels.push_back(static_cast<T>(x + 2 * y + 3 * z));
    const VoxelArray volume{voxels.data(), type_of<T>, size};
    const double matrix[12] = {0.31, 0.02, 0, 0.5, -0.01, 0.29, 0, 1.5, 0.013, 0.011, 0, 0.25};
    const SliceStack slices{1, 45, 90, matrix};
    std::vector<float> linear(45 * 90), again(45 * 90);
    CHECK(resample(volume, slices, Order::linear, -1, 1, linear.data()));
    CHECK(resample(volume, slices, Order::linear, -1, 3, again.data()));
    CHECK(linear == again);
    for (int v = 0; v < 45; ++v)
        for (int u = 0; u < 90; ++u) {
            double p[3];
            bool inside = true;
            for (int a = 0; a < 3; ++a) {
                p[a] = matrix[4 * a] * u + matrix[4 * a + 1] * v + matrix[4 * a + 3];
                inside = inside && p[a] >= 0 && p[a] <= static_cast<double>((&size.x)[a] - 1);
            }
            if (!inside) continue;
            const double expected = p[0] + 2 * p[1] + 3 * p[2];
            CHECK(std::abs(static_cast<double>(linear[static_cast<std::size_t>(v * 90 + u)]) - expected) < 1e-4);
        }
}

// Whatever the pose, nothing outside the volume is read (the sanitizer sees it), and splines return their voxels.
void check_any_pose(std::mt19937& random, const GridSize& size) {
    std::normal_distribution<double> normal;
    std::vector<float> voxels(static_cast<std::size_t>(size.x * size.y * size.z)), coefficients(voxels.size());
    for (float& v : voxels) v = static_cast<float>(normal(random));
    const VoxelArray volume{voxels.data(), VoxelType::float32, size};
    CHECK(spline_coefficients(volume, 2, coefficients.data()));
    const VoxelArray spline{coefficients.data(), VoxelType::float32, size};
    std::vector<double> matrices;
    for (int n = 0; n < 6; ++n)
        for (int i = 0; i < 12; ++i)
            matrices.push_back(normal(random) * std::pow(10.0, n % 3 * 4 - 1) * (i % 4 == 3 ? 30 : 1));
    std::vector<float> out(6 * 17 * 131);
    for (const Order order : {Order::linear, Order::cubic})
        CHECK(resample(order == Order::cubic ? spline : volume, {6, 17, 131, matrices.data()}, order,
                       std::numeric_limits<float>::quiet_NaN(), 2, out.data()));
    for (int z = 0; z < size.z; ++z) {
        const double plane[12] = {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, static_cast<double>(z)};
        std::vector<float> slice(static_cast<std::size_t>(size.x * size.y));
        CHECK(resample(spline, {1, size.y, size.x, plane}, Order::cubic, 99, 1, slice.data()));
        for (std::size_t i = 0; i < slice.size(); ++i)
            CHECK(std::abs(slice[i] - voxels[static_cast<std::size_t>(z) * slice.size() + i]) < 1e-5F);
    }
}

}  // namespace

int main() {
    std::mt19937 random(2);
    for (const GridSize size : {GridSize{1, 1, 1}, GridSize{30, 20, 5}, GridSize{2, 3, 70}}) {
        check_ramp<std::uint8_t>(size);
        check_ramp<std::int16_t>(size);
        check_ramp<float>(size);
        check_any_pose(random, size);
    }
    return 0;
}
