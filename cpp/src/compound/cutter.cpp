#include "cutter.hpp"

#include <algorithm>
#include <cmath>

namespace usfast {
namespace {

using Point = std::array<double, 3>;

// A convex polygon: the frame, or what two cuts an axis leave of it. Ten corners, were it not for rounding: where a
// face all but holds the frame, a cut may find it on both sides in turn, and leave half as many corners again.
struct Polygon {
    std::array<Point, 48> corner;  // 4 * 1.5^6, rounded up
    std::size_t count = 0;

    void range(std::size_t axis, double& low, double& high) const {
        low = high = corner[0][axis];
        for (std::size_t i = 1; i < count; ++i) {
            low = std::min(low, corner[i][axis]);
            high = std::max(high, corner[i][axis]);
        }
    }
};

// What of the polygon lies at or above `at` on an axis (below for sign -1).
Polygon cut(const Polygon& polygon, std::size_t axis, double sign, double at) {
    Polygon rest;
    for (std::size_t i = 0; i < polygon.count; ++i) {
        const Point &here = polygon.corner[i], &next = polygon.corner[(i + 1) % polygon.count];
        const double inside = sign * (here[axis] - at), then = sign * (next[axis] - at);
        if (inside >= 0) rest.corner[rest.count++] = here;
        if ((inside >= 0) == (then >= 0)) continue;
        Point edge;
        const double t = inside / (inside - then);
        for (std::size_t a = 0; a < 3; ++a) edge[a] = here[a] + t * (next[a] - here[a]);
        edge[axis] = at;
        rest.corner[rest.count++] = edge;
    }
    return rest;
}

struct Lattice {
    const Box& domain;
    std::int64_t side;
    double reach;
    const Crossed& crossed;

    // Cuts along `axis` and then the next ones; `brick` and `voxels` are known on the axes before.
    void split(const Polygon& polygon, std::size_t axis, std::array<std::int32_t, 3>& brick) const {
        if (axis == 3) return report(polygon, brick);
        double low, high;
        polygon.range(axis, low, high);
        const auto begin = static_cast<double>(domain.begin[axis]), step = static_cast<double>(side);
        const auto bricks = static_cast<double>((domain.end[axis] - domain.begin[axis] + side - 1) / side);
        const double first = std::max(0.0, std::floor((low - reach - begin) / step));
        const double last = std::min(bricks - 1, std::floor((high + reach - begin) / step));
        for (double b = first; b <= last; ++b) {
            const double face = begin + b * step;
            const Polygon piece = cut(cut(polygon, axis, 1, face - reach), axis, -1, face + step - 1 + reach);
            if (piece.count == 0) continue;
            brick[axis] = static_cast<std::int32_t>(b);
            split(piece, axis + 1, brick);
        }
    }

    void report(const Polygon& polygon, const std::array<std::int32_t, 3>& brick) const {
        Box voxels;
        for (std::size_t a = 0; a < 3; ++a) {
            double low, high;
            polygon.range(a, low, high);
            const std::int64_t begin = domain.begin[a] + brick[a] * side;
            voxels.begin[a] = std::max(begin, static_cast<std::int64_t>(std::ceil(low - reach)));
            voxels.end[a] =
                std::min({begin + side, domain.end[a], static_cast<std::int64_t>(std::floor(high + reach)) + 1});
        }
        if (!voxels.empty()) crossed(brick, voxels);
    }
};

}  // namespace

void cut_frame(const double* matrix, double u0, double u1, double v0, double v1, const Box& domain, std::int64_t side,
               double reach, const Crossed& crossed) {
    Polygon frame;
    double largest = 0;
    for (const auto& [u, v] : {std::array{u0, v0}, std::array{u1, v0}, std::array{u1, v1}, std::array{u0, v1}}) {
        for (std::size_t a = 0; a < 3; ++a) {
            const double* m = matrix + 4 * a;
            frame.corner[frame.count][a] = m[0] * u + (m[1] * v + m[3]);
            largest = std::max({largest, std::abs(m[0] * u), std::abs(m[1] * v), std::abs(m[3])});
        }
        ++frame.count;
    }
    // Wider than the rounding of a pixel's place here and in the kernels.
    const double slack = 1e-3 + 1e-12 * largest;
    std::array<std::int32_t, 3> brick{};
    Lattice{domain, side, reach + slack, crossed}.split(frame, 0, brick);
}

}  // namespace usfast
