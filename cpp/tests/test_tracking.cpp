#include <cmath>
#include <random>
#include <vector>

#include "check.hpp"
#include "usfast/tracking.hpp"

using namespace usfast;

namespace {

double plain_sum(const double* m, std::int64_t height, std::int64_t width) {
    double total = 0;
    for (std::int64_t v = 1; v <= height; ++v)
        for (std::int64_t u = 1; u <= width; ++u) {
            double square = 0;
            for (int r = 0; r < 3; ++r) {
                const double d =
                    m[4 * r] * static_cast<double>(u) + m[4 * r + 1] * static_cast<double>(v) + m[4 * r + 3];
                square += d * d;
            }
            total += std::sqrt(square);
        }
    return total;
}

}  // namespace

int main() {
    std::mt19937 random(1);
    std::normal_distribution<double> normal;
    for (const auto& [height, width] : {std::pair{1, 1}, std::pair{3, 63}, std::pair{20, 200}, std::pair{2, 2500}}) {
        std::vector<double> matrices;
        for (int n = 0; n < 12; ++n)
            for (int i = 0; i < 12; ++i) matrices.push_back(normal(random) * (i % 4 == 3 ? 1 : std::pow(10.0, -n % 5)));
        for (int i = 0; i < 12; ++i) matrices[static_cast<std::size_t>(i)] = 0;  // nothing moves in the first
        std::vector<double> one(12), four(12);
        CHECK(displacement_sums(matrices.data(), 12, height, width, 1, one.data()));
        CHECK(displacement_sums(matrices.data(), 12, height, width, 4, four.data()));
        CHECK(one == four);
        CHECK(one[0] == 0);
        for (std::size_t n = 1; n < 12; ++n) {
            const double expected = plain_sum(matrices.data() + 12 * n, height, width);
            CHECK(std::abs(one[n] - expected) <= 1e-6 * expected);
        }
        CHECK(!displacement_sums(matrices.data(), 12, height, width, 2, one.data(),
                                 [](std::int64_t, std::int64_t) { return false; }));
    }
    return 0;
}
