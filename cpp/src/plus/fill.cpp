#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "usfast/plus.hpp"

namespace usfast::plus {
namespace {

// The order matters: equal sticks are added in it.
constexpr std::array<std::array<int, 3>, 13> directions{{{1, 0, 0},
                                                         {0, 1, 0},
                                                         {0, 0, 1},
                                                         {1, 1, 0},
                                                         {1, 0, 1},
                                                         {0, 1, 1},
                                                         {1, -1, 0},
                                                         {1, 0, -1},
                                                         {0, 1, -1},
                                                         {1, 1, 1},
                                                         {-1, 1, 1},
                                                         {1, -1, 1},
                                                         {-1, -1, 1}}};

// Weights over a cube of size^3 voxels in single precision.
std::vector<float> cube_weights(const FillElement& e) {
    const int n = e.size;
    const double centre = (n - 1) / 2.0;
    const double divisor = static_cast<float>(static_cast<double>(e.stdev * e.stdev) * 2.0);
    const auto term = static_cast<float>(std::pow(2 * 3.1415926535897932384626433832795, 1.5) *
                                         std::pow(static_cast<double>(e.stdev), 3));
    auto square = [centre](int i) { return (i - centre) * (i - centre); };
    std::vector<float> weights;
    for (int z = 0; z < n; ++z)
        for (int y = 0; y < n; ++y)
            for (int x = 0; x < n; ++x) {
                if (e.type == Filler::inverse_distance) {
                    const auto distance = static_cast<float>(std::sqrt(square(x) + square(y) + square(z)));
                    weights.push_back(distance == 0 ? 0.0F : 1.0F / distance);
                } else {
                    const double exponent = -(square(x) / divisor + square(y) / divisor + square(z) / divisor);
                    weights.push_back(static_cast<float>(static_cast<double>(1.0F / term) * std::exp(exponent)));
                }
            }
    return weights;
}

template <typename T>
class HoleFiller {
  public:
    HoleFiller(const void* volume, const std::uint16_t* acc, const GridSize& size,
               const std::vector<FillElement>& elements)
        : volume_(static_cast<const T*>(volume)), acc_(acc), size_(size), elements_(elements) {
        for (const FillElement& e : elements)
            weights_.push_back(e.type == Filler::stick || e.type == Filler::nearest ? std::vector<float>{}
                                                                                    : cube_weights(e));
    }

    std::optional<T> value(std::int64_t x, std::int64_t y, std::int64_t z) const {
        for (std::size_t i = 0; i < elements_.size(); ++i) {
            const FillElement& e = elements_[i];
            std::optional<T> found;
            if (e.type == Filler::stick)
                found = stick(e, x, y, z);
            else if (e.type == Filler::nearest)
                found = nearest(e, x, y, z);
            else
                found = cube(e, weights_[i], x, y, z);
            if (found) return found;
        }
        return std::nullopt;
    }

  private:
    struct Range {
        std::int64_t begin, end;
        Range(std::int64_t at, std::int64_t r, std::int64_t n)
            : begin(std::max<std::int64_t>(at - r, 0)), end(std::min(at + r, n - 1)) {}
    };

    std::int64_t index(std::int64_t x, std::int64_t y, std::int64_t z) const { return (z * size_.y + y) * size_.x + x; }

    static bool enough(const FillElement& e, std::int64_t known) {
        const double whole = static_cast<double>(e.size) * e.size * e.size;
        return static_cast<double>(known) / whole > static_cast<double>(e.minimum_known_ratio);
    }

    std::optional<T> cube(const FillElement& e, const std::vector<float>& weights, std::int64_t x, std::int64_t y,
                          std::int64_t z) const {
        const std::int64_t n = e.size, r = (n - 1) / 2;
        const Range xs(x, r, size_.x), ys(y, r, size_.y), zs(z, r, size_.z);
        double sum = 0, total = 0;
        std::int64_t known = 0;
        for (std::int64_t i = xs.begin; i <= xs.end; ++i)
            for (std::int64_t j = ys.begin; j <= ys.end; ++j)
                for (std::int64_t k = zs.begin; k <= zs.end; ++k) {
                    const std::int64_t at = index(i, j, k);
                    if (acc_[at] == 0) continue;
                    float w = weights[static_cast<std::size_t>((n * (k - z + r) + j - y + r) * n + i - x + r)];
                    if (e.type == Filler::gaussian_accumulation) w *= static_cast<float>(acc_[at]);
                    sum += static_cast<double>(volume_[at]) * static_cast<double>(w);
                    total += static_cast<double>(w);
                    ++known;
                }
        if (total == 0 || !enough(e, known)) return std::nullopt;
        return static_cast<T>(sum / total);
    }

    std::optional<T> nearest(const FillElement& e, std::int64_t x, std::int64_t y, std::int64_t z) const {
        for (std::int64_t r = 1; r <= (e.size - 1) / 2; ++r) {
            const Range xs(x, r, size_.x), ys(y, r, size_.y), zs(z, r, size_.z);
            double sum = 0;
            std::int64_t known = 0;
            for (std::int64_t i = xs.begin; i <= xs.end; ++i)
                for (std::int64_t j = ys.begin; j <= ys.end; ++j)
                    for (std::int64_t k = zs.begin; k <= zs.end; ++k)
                        if (acc_[index(i, j, k)]) sum += static_cast<double>(volume_[index(i, j, k)]), ++known;
            if (known == 0) continue;
            if (!enough(e, known)) return std::nullopt;
            return static_cast<T>(sum / static_cast<double>(known));
        }
        return std::nullopt;
    }

    // Steps from the hole along d to the first known voxel, at most `limit`; 0 = none.
    std::int64_t walk(std::int64_t x, std::int64_t y, std::int64_t z, const std::array<int, 3>& d, int sign,
                      std::int64_t limit, double& value) const {
        for (std::int64_t step = 1; step <= limit; ++step) {
            x += sign * d[0], y += sign * d[1], z += sign * d[2];
            if (x < 0 || y < 0 || z < 0 || x >= size_.x || y >= size_.y || z >= size_.z) return 0;
            if (acc_[index(x, y, z)]) {
                value = static_cast<double>(volume_[index(x, y, z)]);
                return step;
            }
        }
        return 0;
    }

    std::optional<T> stick(const FillElement& e, std::int64_t x, std::int64_t y, std::int64_t z) const {
        std::array<double, 13> values{}, weights{};
        for (std::size_t i = 0; i < directions.size(); ++i) {
            const auto& d = directions[i];
            double ahead = 0, behind = 0;
            const std::int64_t forward = walk(x, y, z, d, 1, e.stick_limit - 1, ahead);
            if (!forward) continue;
            const std::int64_t reverse = walk(x, y, z, d, -1, e.stick_limit - 1 - forward, behind);
            if (!reverse) continue;
            const auto length = static_cast<double>(forward + reverse + 1);
            const double share = static_cast<double>(reverse + 1) / length;
            values[i] = static_cast<double>(static_cast<T>((1.0 - share) * behind + share * ahead));
            weights[i] = 1.0 / (length * std::sqrt(static_cast<double>(d[0] * d[0] + d[1] * d[1] + d[2] * d[2])));
        }
        double sum = 0, total = 0;
        for (int used = 0; used < e.sticks;) {
            const double best = *std::max_element(weights.begin(), weights.end());
            if (!(best > 0)) break;
            for (std::size_t i = 0; i < directions.size(); ++i)
                if (weights[i] == best) {
                    sum += values[i] * best;
                    total += best;
                    weights[i] = 0;
                    ++used;
                }
        }
        if (total == 0) return std::nullopt;
        return static_cast<T>(sum / total);
    }

    const T* volume_;
    const std::uint16_t* acc_;
    const GridSize& size_;
    const std::vector<FillElement>& elements_;
    std::vector<std::vector<float>> weights_;
};

template <typename T>
bool fill_all(const void* volume, const std::uint16_t* acc, const GridSize& size,
              const std::vector<FillElement>& elements, int threads, void* out, std::uint8_t* filled,
              const Progress& progress) {
    const HoleFiller<T> filler(volume, acc, size, elements);
    const std::int64_t plane = size.x * size.y;
    return parallel_for(
        size.z, threads,
        [&](std::int64_t z, int) {
            std::copy_n(static_cast<const T*>(volume) + z * plane, plane, static_cast<T*>(out) + z * plane);
            std::fill_n(filled + z * plane, plane, std::uint8_t{0});
            for (std::int64_t y = 0; y < size.y; ++y)
                for (std::int64_t x = 0; x < size.x; ++x) {
                    const std::int64_t at = z * plane + y * size.x + x;
                    if (acc[at]) continue;
                    const std::optional<T> found = filler.value(x, y, z);
                    static_cast<T*>(out)[at] = found.value_or(T{0});
                    filled[at] = found.has_value();
                }
        },
        progress);
}

}  // namespace

bool fill_holes(const void* volume, const std::uint16_t* accumulation, Dtype dtype, const GridSize& size,
                const std::vector<FillElement>& elements, int threads, void* out, std::uint8_t* filled,
                const Progress& progress) {
    return dtype == Dtype::uint8
               ? fill_all<std::uint8_t>(volume, accumulation, size, elements, threads, out, filled, progress)
               : fill_all<float>(volume, accumulation, size, elements, threads, out, filled, progress);
}

}  // namespace usfast::plus
