// Maps of random images against the recursion written out pixel by pixel.
#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "check.hpp"
#include "usfast/confidence_directed.hpp"

using namespace usfast;

namespace {

std::int64_t mirrored(std::int64_t i, std::int64_t width) {
    i = (i % (2 * width) + 2 * width) % (2 * width);
    return i < width ? i : 2 * width - 1 - i;
}

struct Case {
    std::int64_t height, width;
    std::vector<double> image, needle, artifact, spread, loss, cap;
    double at(const std::vector<double>& from, std::int64_t i, std::int64_t j) const {
        return from[static_cast<std::size_t>(i * width + mirrored(j, width))];
    }
    double gradient(std::int64_t i, std::int64_t j, std::int64_t k, bool on_edge) const {
        const double upper = at(image, i - 1, on_edge ? j + k : j), lower = at(image, i, on_edge ? j : j - k);
        return std::abs(upper - lower) + 1e-4;
    }
    std::vector<double> map(double power, bool on_edge) const;
};

std::vector<double> Case::map(double power, bool on_edge) const {
    std::vector<double> found(image.size(), 1), shown(image.size());
    double largest = 0;
    for (std::int64_t i = 1; i < height; ++i)
        for (std::int64_t j = 0; j < width; ++j)
            for (std::int64_t k = -10; k <= 10; ++k) largest = std::max(largest, gradient(i, j, k, on_edge));
    for (std::int64_t i = 0; i < height; ++i)
        for (std::int64_t j = 0; j < width; ++j) {
            const auto here = static_cast<std::size_t>(i * width + j), row = static_cast<std::size_t>(i);
            double sum = 0;
            for (std::int64_t k = -10; i > 0 && k <= 10; ++k) {
                double mean = 0;
                for (std::int64_t c = 0; c < width; ++c)
                    mean += gradient(i, c, k, on_edge) / static_cast<double>(width);
                double ratio = gradient(i, j, k, on_edge) / mean;
                if (at(needle, i, j) > 0.9 && !(i >= 2 && at(needle, i - 2, j) > 0.9)) ratio = largest / mean;
                if (at(artifact, i - 1, j) > 0.05) ratio = 1;
                sum += at(found, i - 1, j + k) * spread[static_cast<std::size_t>(k + 10)] *
                       std::exp(-std::pow(ratio, power) * loss[row - 1]);
            }
            if (i > 0) found[here] = std::min(sum, cap[row]);
            shown[here] = found[here] / cap[row] * (1 - artifact[here]);
        }
    return shown;
}

Case random_case(std::int64_t height, std::int64_t width, std::mt19937& random) {
    Case c{height, width, {}, {}, {}, {}, {}, {}};
    std::uniform_real_distribution<double> uniform(0, 1);
    for (std::int64_t i = 0; i < height * width; ++i) {
        c.image.push_back(uniform(random));
        c.needle.push_back(uniform(random) < 0.2 ? 1 : 0);
        c.artifact.push_back(uniform(random) < 0.1 ? uniform(random) : 0);
    }
    for (int k = 0; k < directed_shares; ++k) c.spread.push_back(uniform(random) / 10);
    for (std::int64_t i = 1; i < height; ++i) c.loss.push_back(uniform(random));
    for (std::int64_t i = 0; i < height; ++i) c.cap.push_back(i == 0 ? 1 : 0.5 + uniform(random) / 2);
    return c;
}

}  // namespace

int main() {
    std::mt19937 random(1);
    const std::int64_t sizes[][2] = {{1, 1}, {3, 1}, {2, 3}, {6, 7}, {5, 21}, {9, 64}};
    for (const auto& size : sizes)
        for (const bool on_edge : {false, true})
            for (const double power : {1.0, 0.5, 2.5, 1e300}) {
                const Case c = random_case(size[0], size[1], random);
                const DirectedOptions options{c.spread.data(), c.loss.data(), c.cap.data(), power, on_edge, 2};
                std::vector<double> found(c.image.size(), -1);
                CHECK(directed_maps(c.image.data(), c.needle.data(), c.artifact.data(), 1, c.height, c.width, options,
                                    found.data()));
                if (power > 100) {
                    for (const double value : found) CHECK(value >= 0 && value <= 1);
                    continue;
                }
                const std::vector<double> expected = c.map(power, on_edge);
                for (std::size_t i = 0; i < found.size(); ++i)
                    CHECK(std::abs(found[i] - expected[i]) <= 1e-12 * expected[i]);
            }
    return 0;
}
