// Distances on annotated frames, blended onto the frames between them.
#include "usfast/labels.hpp"

#include <algorithm>
#include <cmath>

namespace usfast {
namespace {

using Point = std::array<double, 3>;

double row(const ToPlane& to, int r, const Point& x) {
    const double* m = to.data() + 4 * r;
    return m[0] * x[0] + m[1] * x[1] + m[2] * x[2] + m[3];
}

double along_normal(const ToPlane& to, const Point& d) { return to[8] * d[0] + to[9] * d[1] + to[10] * d[2]; }

// Bilinear; beyond the border the value at the border.
double sample(const float* field, std::int64_t height, std::int64_t width, double u, double v) {
    u = std::clamp(u, 0.0, static_cast<double>(width - 1));
    v = std::clamp(v, 0.0, static_cast<double>(height - 1));
    const auto i = std::min(static_cast<std::int64_t>(u), std::max<std::int64_t>(width - 2, 0));
    const auto j = std::min(static_cast<std::int64_t>(v), std::max<std::int64_t>(height - 2, 0));
    const double a = u - static_cast<double>(i), b = v - static_cast<double>(j);
    const float* upper = field + j * width + i;
    const std::int64_t right = width > 1, down = height > 1 ? width : 0;
    return (1 - b) * ((1 - a) * upper[0] + a * upper[right]) + b * ((1 - a) * upper[down] + a * upper[down + right]);
}

double at_foot(const Blend& blend, std::size_t which, const Point& x) {
    return sample(blend.field[which], blend.height, blend.width, row(blend.to_field[which], 0, x),
                  row(blend.to_field[which], 1, x));
}

// Where between the planes a point with these signed distances from them lies: 0 on the first, 1 on the second.
double weight_between(double before, double after, double share) {
    return before * after < 0 ? before / (before - after) : share;
}

// Mean motion of the discs, each weighted by how near it is in terms of its own radius.
Point motion(const std::vector<DiscPair>& discs, const Point& x, double w) {
    Point sum{};
    double total = 0;
    for (const DiscPair& disc : discs) {
        const double radius = (1 - w) * disc.radius_before + w * disc.radius_after;
        double square = 0;
        for (std::size_t i = 0; i < 3; ++i) {
            const double d = x[i] - ((1 - w) * disc.before[i] + w * disc.after[i]);
            square += d * d;
        }
        const double near = 1 / (square / (radius * radius) + 0.05), importance = near * near;
        for (std::size_t i = 0; i < 3; ++i) sum[i] += importance * (disc.after[i] - disc.before[i]);
        total += importance;
    }
    for (double& value : sum) value /= total;
    return sum;
}

double perpendicular(const Blend& blend, const Point& x, double share) {
    const double w = weight_between(row(blend.bracket[0], 2, x), row(blend.bracket[1], 2, x), share);
    if (blend.ends)
        return blend.ends > 0
                   ? at_foot(blend, 1, x) + w * w * (at_foot(blend, 2, x) - at_foot(blend, 1, x))
                   : at_foot(blend, 2, x) + (1 - w) * (1 - w) * (at_foot(blend, 1, x) - at_foot(blend, 2, x));
    const double before = at_foot(blend, 1, x), after = at_foot(blend, 2, x), change = after - before;
    double value = before + w * change;
    const auto& [first, way, last] = blend.way;
    // Slopes at the ends: of the parabola through three annotations, in units of one gap.
    if (blend.field[0]) {
        const double slope = ((before - at_foot(blend, 0, x)) / first * way * way + change * first) / (way + first);
        value += w * (1 - w) * (1 - w) * (slope - change);
    }
    if (blend.field[3]) {
        const double slope = ((at_foot(blend, 3, x) - after) / last * way * way + change * last) / (way + last);
        value -= w * w * (1 - w) * (slope - change);
    }
    return value;
}

double guided(const Blend& blend, const std::vector<DiscPair>& discs, const Point& x, double share) {
    const double before = row(blend.bracket[0], 2, x), after = row(blend.bracket[1], 2, x);
    const double w = weight_between(before, after, share);
    const Point d = motion(discs, x, w);
    const double down = along_normal(blend.bracket[0], d), up = along_normal(blend.bracket[1], d);
    if (std::abs(down) < 1e-9 || std::abs(up) < 1e-9) return perpendicular(blend, x, share);
    const double back = -before / down, on = -after / up;
    // A motion nearly inside a plane would reach it far outside of the sections.
    if (!(back <= 0 && on >= 0 && on - back <= 3)) return perpendicular(blend, x, share);
    const Point there{x[0] + back * d[0], x[1] + back * d[1], x[2] + back * d[2]};
    const Point beyond{x[0] + on * d[0], x[1] + on * d[1], x[2] + on * d[2]};
    const double part = on > back ? -back / (on - back) : share;
    return (1 - part) * at_foot(blend, 1, there) + part * at_foot(blend, 2, beyond);
}

}  // namespace

bool blend_distances(const Blend& blend, const std::vector<DiscPair>& discs, const double* image_to_world,
                     const double* share, std::int64_t frames, int threads, float* out, const Progress& progress) {
    return parallel_for(
        frames * blend.height, threads,
        [&](std::int64_t task, int) {
            const std::int64_t frame = task / blend.height, v = task % blend.height;
            const double* m = image_to_world + 12 * frame;
            float* line = out + task * blend.width;
            for (std::int64_t u = 0; u < blend.width; ++u) {
                Point x;
                for (std::size_t i = 0; i < 3; ++i)
                    x[i] = m[4 * i] * static_cast<double>(u) + m[4 * i + 1] * static_cast<double>(v) + m[4 * i + 3];
                line[u] = static_cast<float>(discs.empty() ? perpendicular(blend, x, share[frame])
                                                           : guided(blend, discs, x, share[frame]));
            }
        },
        progress);
}

void dilation_steps(const std::uint8_t* seed, const std::uint8_t* region, std::int64_t height, std::int64_t width,
                    std::int32_t* steps) {
    std::vector<std::int64_t> front, next;
    for (std::int64_t p = 0; p < height * width; ++p) {
        steps[p] = seed[p] ? 0 : -1;
        if (seed[p]) front.push_back(p);
    }
    // A pixel stays in the front for two steps: what a cross cannot reach the following square may.
    std::vector<std::int64_t> older;
    for (std::int32_t step = 1; !front.empty() || !older.empty(); ++step) {
        next.clear();
        const bool square = step % 2 == 0;
        const auto spread = [&](std::int64_t p) {
            const std::int64_t y = p / width, x = p % width;
            for (std::int64_t dy = -1; dy <= 1; ++dy)
                for (std::int64_t dx = -1; dx <= 1; ++dx) {
                    if (!square && dy && dx) continue;
                    if (y + dy < 0 || y + dy >= height || x + dx < 0 || x + dx >= width) continue;
                    const std::int64_t q = p + dy * width + dx;
                    if (steps[q] < 0 && region[q]) steps[q] = step, next.push_back(q);
                }
        };
        if (square)
            for (const std::int64_t p : older) spread(p);
        for (const std::int64_t p : front) spread(p);
        older.swap(front);
        if (square) older.clear();
        front.swap(next);
    }
}

}  // namespace usfast
