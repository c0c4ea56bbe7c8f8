// Surface distances, confusion and the distance transform against brute force, on masks of every awkward size.
#include <algorithm>
#include <cmath>
#include <random>

#include "check.hpp"
#include "usfast/confusion.hpp"
#include "usfast/distance_transform.hpp"
#include "usfast/surface.hpp"

using usfast::Index3;

namespace {

struct Mask {
    Index3 shape;
    std::vector<std::uint8_t> data;

    bool at(std::int64_t z, std::int64_t y, std::int64_t x) const {
        const bool inside = z >= 0 && z < shape[0] && y >= 0 && y < shape[1] && x >= 0 && x < shape[2];
        return inside && data[static_cast<std::size_t>((z * shape[1] + y) * shape[2] + x)];
    }
    usfast::MaskView<std::uint8_t> view() const {
        return {data.data(), shape, {shape[1] * shape[2], shape[2], 1}, {0, 0, 0}, shape};
    }
};

Mask random_mask(const Index3& shape, double density, std::mt19937& random) {
    Mask mask{shape, std::vector<std::uint8_t>(static_cast<std::size_t>(shape[0] * shape[1] * shape[2]))};
    std::bernoulli_distribution inside(density);
    for (auto& value : mask.data) value = inside(random);
    return mask;
}

std::vector<Index3> border(const Mask& m) {
    std::vector<Index3> points;
    for (std::int64_t z = 0; z < m.shape[0]; ++z)
        for (std::int64_t y = 0; y < m.shape[1]; ++y)
            for (std::int64_t x = 0; x < m.shape[2]; ++x)
                if (m.at(z, y, x) && !(m.at(z - 1, y, x) && m.at(z + 1, y, x) && m.at(z, y - 1, x) &&
                                       m.at(z, y + 1, x) && m.at(z, y, x - 1) && m.at(z, y, x + 1)))
                    points.push_back({z, y, x});
    return points;
}

double distance(const Index3& a, const Index3& b, const std::array<double, 3>& spacing) {
    double sum = 0;
    for (std::size_t k = 0; k < 3; ++k) sum += std::pow(static_cast<double>(a[k] - b[k]) * spacing[k], 2);
    return std::sqrt(sum);
}

void check_surfaces(const Mask& a, const Mask& b, const std::array<double, 3>& spacing) {
    usfast::SurfaceOptions options;
    options.spacing = spacing, options.threads = 2;
    const auto found = usfast::surface_distances(a.view(), b.view(), {}, -1, options);
    const auto from = border(a), to = border(b);
    double largest = 0, sum = 0;
    for (const Index3& p : from) {
        double best = std::numeric_limits<double>::infinity();
        for (const Index3& q : to) best = std::min(best, distance(p, q, spacing));
        largest = std::max(largest, best), sum += best;
    }
    double weight = 0, mean = 0;
    for (std::size_t i = 0; i < found.a_to_b.distance.size(); ++i) {
        weight += found.a_to_b.weight[i];
        mean += found.a_to_b.weight[i] * found.a_to_b.distance[i];
    }
    CHECK(weight == static_cast<double>(from.size()));
    if (from.empty() || to.empty()) return;
    CHECK(std::abs(found.a_to_b.distance.back() - largest) < 1e-9);
    CHECK(std::abs(mean - sum) < 1e-9 * (1 + sum));
    options.surfels = true, options.area.fill(1.0);
    usfast::surface_distances(a.view(), b.view(), b.view(), -1, options);  // for the sanitizers
}

void check_transform(const Mask& mask, const std::array<double, 3>& spacing) {
    std::vector<double> found(mask.data.size());
    std::vector<std::int64_t> site(mask.data.size());
    usfast::distance_transform(mask.data.data(), mask.shape, spacing, false, found.data(), site.data(), 2);
    for (std::size_t i = 0; i < found.size(); ++i) {
        if (site[i] < 0) {
            CHECK(std::isinf(found[i]));
            continue;
        }
        CHECK(mask.data[static_cast<std::size_t>(site[i])] == 0);
        const std::int64_t ny = mask.shape[1], nx = mask.shape[2];
        const auto place = [&](std::int64_t n) { return Index3{n / (ny * nx), n / nx % ny, n % nx}; };
        const double there = distance(place(static_cast<std::int64_t>(i)), place(site[i]), spacing);
        CHECK(std::abs(there - found[i]) < 1e-9);
    }
}

void check_confusion(const Mask& a, const Mask& b) {
    std::int64_t voxels = 0, both = 0;
    for (const auto& pair : usfast::confusion(a.data.data(), b.data.data(), a.shape, 2)) {
        voxels += pair.count;
        if (pair.a && pair.b) both += pair.count;
    }
    std::int64_t expected = 0;
    for (std::size_t i = 0; i < a.data.size(); ++i) expected += a.data[i] && b.data[i];
    CHECK(voxels == static_cast<std::int64_t>(a.data.size()));
    CHECK(both == expected);
}

}  // namespace

int main() {
    std::mt19937 random(1);
    for (const Index3& shape : {Index3{1, 1, 1}, Index3{3, 4, 63}, Index3{2, 5, 64}, Index3{5, 3, 65}, Index3{9, 8, 17},
                                Index3{1, 30, 200}, Index3{20, 1, 129}})
        for (const double density : {0.0, 0.004, 0.1, 0.6, 1.0}) {
            const Mask a = random_mask(shape, density, random), b = random_mask(shape, 0.05, random);
            for (const auto& spacing : {std::array<double, 3>{1, 1, 1}, std::array<double, 3>{2.5, 0.3, 0.7}}) {
                check_surfaces(a, b, spacing);
                check_surfaces(b, a, spacing);
                check_transform(a, spacing);
            }
            check_confusion(a, b);
        }
    return 0;
}
