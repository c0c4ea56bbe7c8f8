#include "envelope.hpp"

#include <algorithm>

namespace usfast {

void Envelope::apply(double* value, std::int64_t count, std::int64_t stride, double step, std::int64_t* site) {
    std::int64_t last = -1;
    const double square = step * step;
    for (std::int64_t i = 0; i < count; ++i) {
        const double height = value[i * stride];
        if (height >= kFar) continue;
        double start = -kFar;
        while (last >= 0) {
            const auto k = static_cast<std::size_t>(last);
            const auto apart = static_cast<double>(i - place_[k]), middle = static_cast<double>(i + place_[k]) / 2;
            start = middle + (height - height_[k]) / (2 * square * apart);
            if (start > from_[k]) break;
            --last, start = -kFar;
        }
        const auto k = static_cast<std::size_t>(++last);
        place_[k] = i, height_[k] = height, from_[k] = start;
        if (site) site_[k] = site[i * stride];
    }
    if (last < 0) return;
    std::size_t k = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        while (k < static_cast<std::size_t>(last) && from_[k + 1] < static_cast<double>(i)) ++k;
        const double along = static_cast<double>(i - place_[k]) * step;
        value[i * stride] = height_[k] + along * along;
        if (site) site[i * stride] = site_[k];
    }
}

namespace {

// Squares of the distance to the nearest bit of the row, for the voxels of a strip.
void row_distances(const std::uint64_t* row, std::int64_t words, std::int64_t x0, double step, double* squared,
                   std::int64_t* site) {
    const std::int64_t at = x0 / 64, far = 64 * (words + 2);
    std::int64_t away = far;  // from the nearest bit to the left of the strip
    const std::uint64_t before = x0 % 64 ? row[at] << (64 - x0 % 64) : 0;
    if (before)
        away = leading_zeros(before);
    else
        for (std::int64_t w = at - 1; w >= 0; --w)
            if (row[w]) {
                away = x0 % 64 + 64 * (at - 1 - w) + leading_zeros(row[w]);
                break;
            }
    std::int64_t steps[kStrip];
    for (std::int64_t i = 0; i < kStrip; ++i) {
        away = (row[at] >> (x0 % 64 + i)) & 1 ? 0 : away + 1;
        steps[i] = away;
    }
    away = far;
    const std::int64_t end = x0 % 64 + kStrip;
    const std::uint64_t after = end < 64 ? row[at] >> end : 0;
    if (after)
        away = first_bit(after);
    else
        for (std::int64_t w = at + 1; w < words; ++w)
            if (row[w]) {
                away = 64 - end + 64 * (w - at - 1) + first_bit(row[w]);
                break;
            }
    for (std::int64_t i = kStrip - 1; i >= 0; --i) {
        away = (row[at] >> (x0 % 64 + i)) & 1 ? 0 : away + 1;
        const std::int64_t nearest = std::min(steps[i], away);
        const double along = static_cast<double>(nearest) * step;
        squared[i] = nearest >= far ? kFar : along * along;
        if (site) site[i] = x0 + i + (steps[i] <= away ? -nearest : nearest);
    }
}

}  // namespace

void plane_distances(const BitVolume& bits, std::int64_t x0, const std::array<double, 3>& spacing, Envelope& envelope,
                     double* squared, std::int64_t* site) {
    for (std::int64_t z = 0; z < bits.nz; ++z) {
        double* plane = squared + z * bits.ny * kStrip;
        std::int64_t* sites = site ? site + z * bits.ny * kStrip : nullptr;
        for (std::int64_t y = 0; y < bits.ny; ++y) {
            std::int64_t* at = sites ? sites + y * kStrip : nullptr;
            row_distances(bits.row(z, y), bits.row_words(), x0, spacing[2], plane + y * kStrip, at);
            for (std::int64_t i = 0; at && i < kStrip; ++i) at[i] += (z * bits.ny + y) * bits.nx;
        }
        for (std::int64_t i = 0; i < kStrip; ++i)
            envelope.apply(plane + i, bits.ny, kStrip, spacing[1], sites ? sites + i : nullptr);
    }
}

}  // namespace usfast
