#include "usfast/refine.hpp"

#include <cmath>
#include <limits>

#include "gram.hpp"

namespace usfast {
namespace {

constexpr double flat = 1e-10;  // share of the sum of squares below which a variance is rounding error

// Central moments of the features: sums[i][j] less the product of the means.
struct Moments {
    double count;
    const double (*sums)[features];

    double operator()(int i, int j) const {
        const double raw = i < j ? sums[j][i] : sums[i][j];
        return raw - sums[i][0] * sums[j][0] / count;
    }
};

void nothing(const Matches& out, std::int64_t n) {
    out.ncc[n] = std::numeric_limits<double>::quiet_NaN();
    for (int i = 0; i < 6; ++i) out.gradient[6 * n + i] = 0;
    for (int i = 0; i < 36; ++i) out.hessian[36 * n + i] = 0;
}

void conclude(const double sums[features][features], std::int64_t n, const Matches& out) {
    const double count = sums[0][0];
    out.used[n] = static_cast<std::int64_t>(count);
    if (count < 2) return nothing(out, n);
    const Moments moment{count, sums};
    const double aa = moment(1, 1), bb = moment(2, 2);
    if (!(aa > flat * sums[1][1]) || !(bb > flat * sums[2][2])) return nothing(out, n);
    const double ncc = moment(1, 2) / std::sqrt(aa * bb);
    if (!std::isfinite(ncc)) return nothing(out, n);
    out.ncc[n] = ncc;
    double along[6];  // how the slice's derivative runs along the slice itself
    for (int i = 0; i < 6; ++i) {
        along[i] = moment(3 + i, 2) / bb;
        out.gradient[6 * n + i] = moment(3 + i, 1) / std::sqrt(aa * bb) - ncc * along[i];
    }
    for (int i = 0; i < 6; ++i)
        for (int j = 0; j < 6; ++j) out.hessian[36 * n + 6 * i + j] = moment(3 + i, 3 + j) / bb - along[i] * along[j];
}

}  // namespace

bool match_frames(const FixedVolume& volume, const MovingFrames& frames, int threads, const Matches& matches,
                  const Progress& progress) {
    const std::int64_t size = frames.height * frames.width;
    return parallel_for(
        frames.count, threads,
        [&](std::int64_t n, int) {
            double sums[features][features] = {};
            gram(volume, frames.pixels + n * size, frames.height, frames.width, frames.pixel_to_voxel + 12 * n,
                 frames.pivots + 3 * n, sums);
            conclude(sums, n, matches);
        },
        progress);
}

}  // namespace usfast
