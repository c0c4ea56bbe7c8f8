// The map of a random image is harmonic: every pixel that is sought is the weighted mean of its neighbours. The weights
// are computed here once more, pixel by pixel.
#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "check.hpp"
#include "usfast/confidence.hpp"

using namespace usfast;

namespace {

struct Image {
    std::int64_t height, width;
    std::vector<float> pixels;
    std::vector<std::uint8_t> state;
    std::vector<double> factor;
    std::size_t at(std::int64_t r, std::int64_t c) const { return static_cast<std::size_t>(r * width + c); }
    bool outside(std::int64_t r, std::int64_t c) const {
        return r < 0 || c < 0 || r >= height || c >= width || state[at(r, c)] == 3;
    }
};

constexpr double eps = 0x1p-52, beta = 90, gamma_ = 0.05;

double difference(const Image& image, const std::vector<double>& a, std::int64_t r, std::int64_t c, int dr, int dc) {
    return std::abs(a[image.at(r, c)] - a[image.at(r + dr, c + dc)]);
}

// Largest relative residual over all pixels that are sought.
double residual(const Image& image, const std::vector<double>& map) {
    double low = 1e300, high = -1e300;
    for (std::size_t i = 0; i < image.pixels.size(); ++i)
        if (image.state[i] != 3) {
            low = std::min(low, double{image.pixels[i]});
            high = std::max(high, double{image.pixels[i]});
        }
    std::vector<double> a(image.pixels.size());
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = (image.pixels[i] - low) / (high - low + eps) * image.factor[i];
    double most[2] = {};
    auto each = [&](std::int64_t r, std::int64_t c, const auto& use) {
        for (int dr = -1; dr <= 1; ++dr)
            for (int dc = -1; dc <= 1; ++dc)
                if ((dr != 0 || dc != 0) && !image.outside(r, c) && !image.outside(r + dr, c + dc)) use(dr, dc);
    };
    for (std::int64_t r = 0; r < image.height; ++r)
        for (std::int64_t c = 0; c < image.width; ++c)
            each(r, c,
                 [&](int dr, int dc) { most[dc == 0] = std::max(most[dc == 0], difference(image, a, r, c, dr, dc)); });
    const double first = std::max(most[0], most[1]) + eps;
    const double second = std::max(most[1] / first, most[0] / first + gamma_) + eps;
    double worst = 0;
    for (std::int64_t r = 0; r < image.height; ++r)
        for (std::int64_t c = 0; c < image.width; ++c) {
            if (image.state[image.at(r, c)] != 0) continue;
            double sum = 0, weights = 0;
            each(r, c, [&](int dr, int dc) {
                const double s = (difference(image, a, r, c, dr, dc) / first + (dc == 0 ? 0 : gamma_)) / second;
                const double w = std::exp(-beta * s) + 1e-5;
                sum += w * map[image.at(r + dr, c + dc)], weights += w;
            });
            if (weights > 0) worst = std::max(worst, std::abs(sum / weights - map[image.at(r, c)]));
        }
    return worst;
}

Image random_image(std::int64_t height, std::int64_t width, bool sector, std::mt19937& random) {
    Image image{height, width, {}, {}, {}};
    std::uniform_real_distribution<float> uniform(0, 200);
    for (std::int64_t r = 0; r < height; ++r)
        for (std::int64_t c = 0; c < width; ++c) {
            image.pixels.push_back(uniform(random));
            image.factor.push_back(1 - std::exp(-2.0 * static_cast<double>(r) / static_cast<double>(height)));
            const bool out = sector && std::abs(c - width / 2) > r + 4;
            image.state.push_back(out ? 3 : r == 0 ? 1 : r == height - 1 ? 2 : 0);
        }
    return image;
}

template <typename T>
std::vector<double> map_of(const Image& image, int threads) {
    const std::size_t size = image.pixels.size();
    std::vector<T> out(size);
    const ConfidenceOptions options{beta, {0, gamma_, gamma_}, 1e-5, true, sizeof(T) == 4, threads};
    const ConfidenceImages images{image.pixels.data(), PixelType::float32, 1, image.height, image.width};
    CHECK(confidence_maps(images, image.state.data(), false, image.factor.data(), options, out.data()));
    return {out.begin(), out.end()};
}

}  // namespace

int main() {
    std::mt19937 random(1);
    const std::pair<std::int64_t, std::int64_t> sizes[] = {{1, 1},   {2, 5},   {3, 3},   {17, 17},   {18, 34},
                                                           {33, 16}, {34, 49}, {65, 80}, {100, 140}, {20, 300}};
    for (const auto& [height, width] : sizes)
        for (const bool sector : {false, true}) {
            const Image image = random_image(height, width, sector, random);
            const std::vector<double> one = map_of<double>(image, 1);
            CHECK(one == map_of<double>(image, 3));
            CHECK(residual(image, one) < 1e-13);
            const std::vector<double> single = map_of<float>(image, 2);
            for (std::size_t i = 0; i < one.size(); ++i) CHECK(std::abs(single[i] - one[i]) <= 1e-5 * one[i]);
        }
    const Image image = random_image(80, 90, false, random);
    std::vector<double> out(image.pixels.size());
    CHECK(!confidence_maps({image.pixels.data(), PixelType::float32, 1, 80, 90}, image.state.data(), false,
                           image.factor.data(), {beta, {0, gamma_, gamma_}, 1e-5, true, false, 2}, out.data(),
                           [](std::int64_t, std::int64_t) { return false; }));
    confidence_forget();
    return 0;
}
