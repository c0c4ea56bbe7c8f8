#include <algorithm>
#include <limits>

#include "usfast/plus.hpp"
#include "voxel.hpp"

namespace usfast::plus {
namespace {

constexpr double tolerance = 1.0 / (1 << 17);

struct Segment {
    std::int64_t begin, end;  // columns, inclusive
};

// Columns of a row inside clip rectangle and fan, at most two pieces. The fan is one pixel narrower on every side than
// its equations say, as in IGSIO's row-by-row code.
int row_segments(const Settings& s, const double* tangent, std::int64_t v, Segment out[2]) {
    if (v < s.clip[1] || v > s.clip[3]) return 0;
    auto up = [](double x) { return std::ceil(x - tolerance); };
    auto down = [](double x) { return std::floor(x + tolerance); };
    auto begin = static_cast<double>(s.clip[0]), end = static_cast<double>(s.clip[2]);
    if (!s.fan) {
        out[0] = {s.clip[0], s.clip[2]};
        return begin <= end;
    }
    const double ox = s.fan_origin[0], y = static_cast<double>(v) - s.fan_origin[1];
    const double outer = s.fan_radius[1] * s.fan_radius[1] - y * y, inner = s.fan_radius[0] * s.fan_radius[0] - y * y;
    if (outer < 0) return 0;
    const double reach = std::sqrt(outer);
    begin = std::max({begin, up(tangent[0] * y + ox + 1), up(ox - reach + 1)});
    end = std::min({end, down(tangent[1] * y + ox - 1), down(ox + reach - 1)});
    if (begin > end) return 0;
    out[0] = {static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end)};
    if (inner <= 0) return 1;
    const double hole = std::sqrt(inner);
    const auto skip_begin = static_cast<std::int64_t>(std::clamp(up(ox - hole + 1), -1e15, 1e15));
    const auto skip_end = static_cast<std::int64_t>(std::clamp(down(ox + hole - 1), -1e15, 1e15));
    if (skip_begin < out[0].begin) {
        out[0].begin = std::max(out[0].begin, skip_end + 1);
    } else if (skip_end > out[0].end) {
        out[0].end = std::min(out[0].end, skip_begin - 1);
    } else {
        out[1] = {skip_end + 1, out[0].end};
        out[0].end = skip_begin - 1;
        return 2;
    }
    return out[0].begin <= out[0].end;
}

// The pixel-by-pixel code tests the fan's equations as they are, limits included.
bool outside_fan(const Settings& s, const double* tangent, std::int64_t u, std::int64_t v) {
    const double x = static_cast<double>(u) - s.fan_origin[0], y = static_cast<double>(v) - s.fan_origin[1];
    const double slope = x / y, r2 = x * x + y * y;
    return y < 0 || slope < tangent[0] || slope > tangent[1] || r2 < s.fan_radius[0] * s.fan_radius[0] ||
           r2 > s.fan_radius[1] * s.fan_radius[1];
}

// One frame into the voxels of planes [z_begin, z_end).
template <typename T, typename Number>
class Paster {
  public:
    Paster(const Frames& frames, const GridSize& size, const Settings& s, void* volume, std::uint16_t* acc,
           std::int64_t z_begin, std::int64_t z_end)
        : frames_(frames),
          size_(size),
          s_(s),
          volume_(static_cast<T*>(volume)),
          acc_(acc),
          z_begin_(z_begin),
          z_end_(z_end) {}

    void frame(std::int64_t n) {
        for (int a = 0; a < 16; ++a) m_[a] = Number::from(frames_.image_to_voxel[16 * n + a]);
        const auto* image = static_cast<const T*>(frames_.pixels) + frames_.index[n] * frames_.height * frames_.width;
        const double* tangent = frames_.fan_tangent ? frames_.fan_tangent + 2 * n : nullptr;
        image_lag_ = mask_lag_ = 0;
        for (std::int64_t v = 0; v < frames_.height; ++v) {
            Segment segments[2];
            int count = 0;
            if (s_.optimization != Optimization::none) {
                count = row_segments(s_, tangent, v, segments);
            } else if (v >= s_.clip[1] && v <= s_.clip[3]) {
                segments[0] = {s_.clip[0], s_.clip[2]};
                count = 1;
            }
            for (int i = 0; i < count; ++i) row(image, tangent, v, segments[i]);
        }
    }

  private:
    bool leaky() const {
        return s_.compounding == Compounding::importance && s_.interpolation == Interpolation::nearest &&
               s_.optimization != Optimization::none;
    }

    void row(const T* image, const double* tangent, std::int64_t v, Segment segment) {
        const bool none = s_.optimization == Optimization::none;
        if (leaky()) segment = inside_volume(v, segment);
        for (std::int64_t u = segment.begin; u <= segment.end; ++u) {
            const T in = image[std::max<std::int64_t>(v * frames_.width + u - image_lag_, 0)];
            if (s_.reject && static_cast<double>(in) < s_.reject_below) continue;
            if (none && s_.fan && outside_fan(s_, tangent, u, v)) continue;
            Number p[3];
            locate(u, v, p);
            if (s_.interpolation == Interpolation::linear) {
                linear(p, in, mask(u, v));
            } else if (!nearest(p, in, mask(u, v))) {
                // IGSIO leaves the row here without moving its pointers on: every later row is read too early.
                image_lag_ += segment.end - u + 1;
                mask_lag_ += segment.end - u + 1;
                return;
            }
        }
    }

    int mask(std::int64_t u, std::int64_t v) const {
        if (s_.compounding != Compounding::importance) return full_weight;
        return frames_.importance[std::max<std::int64_t>(v * frames_.width + u - mask_lag_, 0)];
    }

    void locate(std::int64_t u, std::int64_t v, Number p[3]) const {
        for (int a = 0; a < 3; ++a) {
            const Number* m = m_ + 4 * a;
            p[a] = s_.optimization == Optimization::none ? (times(m[0], u) + times(m[1], v)) + m[3]
                                                         : (m[3] + times(m[1], v)) + times(m[0], u);
        }
    }

    // Row-by-row code walks only the columns whose nearest voxel exists; that matters where pointers lag.
    Segment inside_volume(std::int64_t v, Segment segment) const {
        auto holds = [&](std::int64_t u) {
            Number p[3];
            locate(u, v, p);
            return in_range(round_index(p[0]), size_.x) && in_range(round_index(p[1]), size_.y) &&
                   in_range(round_index(p[2]), size_.z);
        };
        while (segment.begin <= segment.end && !holds(segment.begin)) ++segment.begin;
        while (segment.begin <= segment.end && !holds(segment.end)) --segment.end;
        return segment;
    }

    static bool in_range(std::int64_t i, std::int64_t n) { return i >= 0 && i < n; }

    bool owns(std::int64_t z) const { return z >= z_begin_ && z < z_end_; }

    // Returns false where IGSIO breaks off the row.
    bool nearest(const Number p[3], T in, int weight) {
        const std::int64_t x = round_index(p[0]), y = round_index(p[1]), z = round_index(p[2]);
        if (!in_range(x, size_.x) || !in_range(y, size_.y) || !owns(z)) return true;
        const std::int64_t at = (z * size_.y + y) * size_.x + x;
        T& out = volume_[at];
        std::uint16_t& acc = acc_[at];
        const bool none = s_.optimization == Optimization::none;
        switch (s_.compounding) {
            case Compounding::maximum:
            case Compounding::latest:
                if (s_.compounding == Compounding::latest || in > out) out = in;
                acc = none ? static_cast<std::uint16_t>(std::min(acc + full_weight, most)) : full_weight;
                break;
            case Compounding::mean:
                nearest_mean(in, full_weight, out, acc);
                break;
            case Compounding::importance:
                if (acc > threshold) {
                    if (!none) ++mask_lag_;
                } else if (weight == 0) {
                    return none;
                }
                nearest_mean(in, weight, out, acc);
                break;
        }
        return true;
    }

    void linear(const Number p[3], T in, int weight) {
        std::int64_t low[3];
        Number f[3], r[3];
        bool beyond[3];
        const std::int64_t sizes[3] = {size_.x, size_.y, size_.z};
        for (int a = 0; a < 3; ++a) {
            low[a] = floor_index(p[a]);
            f[a] = p[a] - Number::from(low[a]);
            r[a] = Number::from(std::int64_t{1}) - f[a];
            beyond[a] = !f[a].is_zero();
            if (low[a] < 0 || low[a] + beyond[a] >= sizes[a]) return;
        }
        for (int j = 7; j >= 0; --j) {
            const bool dx = j & 4, dy = j & 2, dz = j & 1;
            const Number w = (dx ? f[0] : r[0]) * ((dy ? f[1] : r[1]) * (dz ? f[2] : r[2]));
            if (w.is_zero()) continue;
            const std::int64_t z = low[2] + (dz && beyond[2]);
            if (!owns(z)) continue;
            const std::int64_t at = (z * size_.y + low[1] + (dy && beyond[1])) * size_.x + low[0] + (dx && beyond[0]);
            splat(in, weight, w, volume_[at], acc_[at]);
        }
    }

    void splat(T in, int weight, Number w, T& out, std::uint16_t& acc) {
        switch (s_.compounding) {
            case Compounding::mean:
                return linear_mean(in, w, out, acc);
            case Compounding::importance:
                return linear_importance(in, weight, w, out, acc);
            case Compounding::maximum:
                if (!(in > out)) return;
                break;
            case Compounding::latest:
                break;
        }
        if (!(w >= Number::from(0.125))) return;
        out = in;
        acc = accumulated(times(w, full_weight));
    }

    const Frames& frames_;
    const GridSize& size_;
    const Settings& s_;
    T* volume_;
    std::uint16_t* acc_;
    std::int64_t z_begin_, z_end_;
    Number m_[16];
    std::int64_t image_lag_ = 0, mask_lag_ = 0;
};

template <typename T, typename Number>
bool paste_all(const Frames& frames, const GridSize& size, const Settings& s, void* volume, std::uint16_t* acc,
               const Progress& progress) {
    // Every thread owns some planes and walks all pixels in order, so each voxel sees IGSIO's order of events. Where
    // IGSIO's pointers lag, what a pixel is depends on the voxels before it: one thread then.
    const bool ordered = s.compounding == Compounding::importance && s.interpolation == Interpolation::nearest;
    const std::int64_t slabs = ordered ? 1 : std::min<std::int64_t>(s.threads, size.z);
    constexpr std::int64_t chunk = 8;
    for (std::int64_t first = 0; first < frames.used; first += chunk) {
        const std::int64_t last = std::min(first + chunk, frames.used);
        parallel_for(slabs, s.threads, [&](std::int64_t slab, int) {
            Paster<T, Number> paster(frames, size, s, volume, acc, slab * size.z / slabs, (slab + 1) * size.z / slabs);
            for (std::int64_t n = first; n < last; ++n) paster.frame(n);
        });
        if (progress && !progress(last, frames.used)) return false;
    }
    return true;
}

}  // namespace

bool paste(const Frames& frames, const GridSize& size, const Settings& s, void* volume, std::uint16_t* accumulation,
           const Progress& progress) {
    const bool bytes = frames.dtype == Dtype::uint8;
    if (s.optimization == Optimization::full)
        return bytes ? paste_all<std::uint8_t, Fixed>(frames, size, s, volume, accumulation, progress)
                     : paste_all<float, Fixed>(frames, size, s, volume, accumulation, progress);
    return bytes ? paste_all<std::uint8_t, Double>(frames, size, s, volume, accumulation, progress)
                 : paste_all<float, Double>(frames, size, s, volume, accumulation, progress);
}

}  // namespace usfast::plus
