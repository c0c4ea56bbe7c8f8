// Along a row the squared length of an affine displacement is a quadratic q in u, and the sum of its root is wanted.
// Where a piece of 64 pixels keeps away from the least point, the root is so smooth there that 8 nodes give the sum.
#include "kernel.hpp"

#include <cmath>

#include "../dispatch/level.hpp"

namespace usfast {
namespace {

constexpr std::int64_t piece = 64;
constexpr int nodes = 8, run = 16;  // pieces summed in single precision before double takes over

// Gaussian quadrature of a sum: sum of w p(x) equals the sum of p over the 64 pixels at -31.5, -30.5 .. 31.5 for every
// polynomial p up to degree 15. The nodes are the roots of the discrete Chebyshev (Gram) polynomial of degree 8.
constexpr float node[nodes] = {-30.671645908422025F, -25.423955480626475F, -16.769422797900123F, -5.853126003493192F,
                               5.853126003493192F,   16.769422797900123F,  25.423955480626475F,  30.671645908422025F};
constexpr float weight[nodes] = {3.3138099394480234F, 7.102383948770892F,  10.011040455760627F, 11.572765656020458F,
                                 11.572765656020458F, 10.011040455760627F, 7.102383948770892F,  3.3138099394480234F};

// q(t) = t (a t + 2 b) + c at t = u - origin, where `origin` is the least point of q in the row: no term cancels.
struct Quadratic {
    float a, twice_b, c;

    float operator()(float t) const { return t * (a * t + twice_b) + c; }
    float root(float t) const {
        const float square = (*this)(t);
        return std::sqrt(square > 0 ? square : 0.0F);
    }
};

double every_pixel(const Quadratic& q, float start, std::int64_t count) {
    float sum[nodes] = {};
    std::int32_t j = 0;
    for (; j + nodes <= count; j += nodes)
        for (int l = 0; l < nodes; ++l) sum[l] += q.root(static_cast<float>(j + l) + start);
    double total = 0;
    for (; j < count; ++j) total += static_cast<double>(q.root(static_cast<float>(j) + start));
    for (int l = 0; l < nodes; ++l) total += static_cast<double>(sum[l]);
    return total;
}

// Sum of the roots at the nodes of `count` pieces, whose nodes lie at t.
double at_nodes(const Quadratic& q, const float* t, int count) {
    float roots[run * nodes];
    for (int i = 0; i < count * nodes; ++i) roots[i] = q.root(t[i]);
    float sum[nodes] = {};
    for (int k = 0; k < count; ++k)
        for (int l = 0; l < nodes; ++l) sum[l] += roots[k * nodes + l];
    double total = 0;
    for (int l = 0; l < nodes; ++l) total += static_cast<double>(weight[l]) * static_cast<double>(sum[l]);
    return total;
}

// Sum of sqrt(q(start + j)) over j in [0, count). q(t) = a |t - z|^2 with the complex zero z: a piece whose centre
// lies 64 pixels or more from z has an error below 1e-11.
double root_sum(const Quadratic& q, float start, std::int64_t count) {
    const float far = q.a * static_cast<float>(piece * piece);
    double total = 0;
    float t[run * nodes];
    int smooth = 0;
    std::int64_t first = 0;
    for (; first + piece <= count; first += piece) {
        const float begin = start + static_cast<float>(first), centre = begin + 31.5F;
        if (q(centre) < far) {
            total += every_pixel(q, begin, piece);
            continue;
        }
        for (int l = 0; l < nodes; ++l) t[smooth * nodes + l] = centre + node[l];
        if (++smooth == run) total += at_nodes(q, t, run), smooth = 0;
    }
    return total + at_nodes(q, t, smooth) + every_pixel(q, start + static_cast<float>(first), count - first);
}

inline double dot(const double* p, const double* q) { return p[0] * q[0] + p[1] * q[1] + p[2] * q[2]; }

// Columns and offset of the displacement a u + b v + c, scaled so that none exceeds one within the image: lengths then
// fit single precision whatever their unit. Returns the scale; 0 where nothing moves.
double scaled(const double* m, std::int64_t height, std::int64_t width, double a[3], double b[3], double c[3]) {
    double largest = 0;
    for (int r = 0; r < 3; ++r) {
        const double reach[3] = {std::fabs(m[4 * r]) * static_cast<double>(width),
                                 std::fabs(m[4 * r + 1]) * static_cast<double>(height), std::fabs(m[4 * r + 3])};
        for (const double value : reach) largest = value > largest ? value : largest;
    }
    if (largest == 0) return 0;
    for (int r = 0; r < 3; ++r) a[r] = m[4 * r] / largest, b[r] = m[4 * r + 1] / largest, c[r] = m[4 * r + 3] / largest;
    return largest;
}

double displacement_sum(const double* m, std::int64_t height, std::int64_t width) {
    double a[3], b[3], c[3];
    const double scale = scaled(m, height, width, a, b, c);
    if (scale == 0) return 0;
    const double aa = dot(a, a), last = static_cast<double>(width);
    double total = 0;
    for (std::int64_t v = 1; v <= height; ++v) {
        double e[3];
        for (int r = 0; r < 3; ++r) e[r] = b[r] * static_cast<double>(v) + c[r];
        const double slope = dot(a, e);
        double least = aa > 0 ? -slope / aa : 1;
        least = least > 1 ? (least < last ? least : last) : 1;
        for (int r = 0; r < 3; ++r) e[r] += a[r] * least;
        const Quadratic q{static_cast<float>(aa), static_cast<float>(2 * dot(a, e)), static_cast<float>(dot(e, e))};
        total += root_sum(q, static_cast<float>(1 - least), width);
    }
    return total * scale;
}

}  // namespace

namespace USFAST_LEVEL {
extern const TrackingTable tracking_kernels;
const TrackingTable tracking_kernels{displacement_sum};
}  // namespace USFAST_LEVEL

}  // namespace usfast
