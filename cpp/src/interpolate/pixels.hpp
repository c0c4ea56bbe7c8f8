// Values and weights of pixels, and between pixels.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "usfast/interpolate.hpp"

namespace usfast::interpolation {

struct Sample {
    double value = 0;
    double weight = 0;  // 0: there is none
};

template <typename T>
class Pixels {
  public:
    explicit Pixels(const FrameStack& frames)
        : frames_(frames), plain_(std::is_same_v<T, std::uint8_t> && !frames.mask && !frames.importance) {}

    std::int64_t width() const { return frames_.width; }
    std::int64_t height() const { return frames_.height; }

    // Does (u, v) lie on a pixel of the image, each reaching half way to the next?
    bool inside(double u, double v) const {
        return u >= -0.5 && v >= -0.5 && u + 0.5 < static_cast<double>(frames_.width) &&
               v + 0.5 < static_cast<double>(frames_.height);
    }

    // Does the pixel nearest to (u, v), inside the image, count?
    bool counts(std::int64_t used, double u, double v) const {
        return plain_ || at(used, static_cast<std::int64_t>(u + 0.5), static_cast<std::int64_t>(v + 0.5)).weight > 0;
    }

    const T* row(std::int64_t used, std::int64_t v) const {
        return static_cast<const T*>(frames_.pixels) + (frames_.index[used] * frames_.height + v) * frames_.width;
    }

    // The pixel (u, v) of the image, which lies at pixels[u]; weight 0 where it does not count.
    Sample in_row(const T* pixels, std::int64_t used, std::int64_t u, std::int64_t v) const {
        const T pixel = pixels[u];
        if (plain_) return {static_cast<double>(pixel), 1};
        if (frames_.mask && !frames_.mask[v * frames_.width + u]) return {};
        if constexpr (!std::is_same_v<T, std::uint8_t>)
            if (!std::isfinite(pixel)) return {};
        double weight = 1;
        if (frames_.importance) {
            const std::int64_t* stride = frames_.importance_stride;
            const std::int64_t at = frames_.index[used] * stride[0] + v * stride[1] + u * stride[2];
            weight = static_cast<double>(frames_.importance[at]);
            if (!(weight > 0)) return {};
        }
        return {static_cast<double>(pixel), weight};
    }

    Sample at(std::int64_t used, std::int64_t u, std::int64_t v) const { return in_row(row(used, v), used, u, v); }

    Sample nearest(std::int64_t used, double u, double v) const {
        return at(used, static_cast<std::int64_t>(u + 0.5), static_cast<std::int64_t>(v + 0.5));
    }

    // Bilinear between those of the four pixels around (u, v) that count; none where the nearest does not. Inside only.
    Sample bilinear(std::int64_t used, double u, double v) const {
        const std::int64_t left = static_cast<std::int64_t>(u + 1) - 1, top = static_cast<std::int64_t>(v + 1) - 1;
        const double fu = u - static_cast<double>(left), fv = v - static_cast<double>(top);
        if (plain_ && left >= 0 && top >= 0 && left + 1 < frames_.width && top + 1 < frames_.height) {
            const auto along = [&](const T* pair) {
                return (1 - fu) * static_cast<double>(pair[0]) + fu * static_cast<double>(pair[1]);
            };
            const T* first = row(used, top) + left;
            const double above = along(first), below = along(first + frames_.width);
            return {(1 - fv) * above + fv * below, 1};
        }
        if (!counts(used, u, v)) return {};
        double sum = 0, total = 0, share = 0;
        for (int j = 0; j < 2; ++j)
            for (int i = 0; i < 2; ++i) {
                const std::int64_t x = left + i, y = top + j;
                if (x < 0 || y < 0 || x >= frames_.width || y >= frames_.height) continue;
                const Sample s = at(used, x, y);
                if (!(s.weight > 0)) continue;
                const double part = (i ? fu : 1 - fu) * (j ? fv : 1 - fv);
                sum += part * s.weight * s.value;
                total += part * s.weight;
                share += part;
            }
        return total > 0 ? Sample{sum / total, total / share} : Sample{};
    }

  private:
    const FrameStack& frames_;
    bool plain_;  // every pixel counts, with weight 1
};

}  // namespace usfast::interpolation
