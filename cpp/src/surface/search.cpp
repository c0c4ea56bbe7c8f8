// Compiled once for each instruction set level: no templates of the standard library here.
#include "search.hpp"

#include "../dispatch/level.hpp"

namespace usfast {

namespace {

constexpr double kNone = 1e300;

void count(const std::uint64_t* a, const std::uint64_t* b, std::int64_t words, std::int64_t result[3]) {
    std::int64_t in_a = 0, in_b = 0, in_both = 0;
    for (std::int64_t i = 0; i < words; ++i) {
        in_a += __builtin_popcountll(a[i]);
        in_b += __builtin_popcountll(b[i]);
        in_both += __builtin_popcountll(a[i] & b[i]);
    }
    result[0] = in_a, result[1] = in_b, result[2] = in_both;
}

// Voxels to the nearest bit of a row, up to 63 to either side; 64 where there is none.
inline int near(const std::uint64_t* word, int bit) {
    const std::uint64_t left = (word[0] << (63 - bit)) | ((word[-1] >> 1) >> bit);
    const std::uint64_t right = (word[0] >> bit) | ((word[1] << 1) << (63 - bit));
    const int to_left = left ? __builtin_clzll(left) : 64;
    const int to_right = right ? __builtin_ctzll(right) : 64;
    return to_left < to_right ? to_left : to_right;
}

// The same along the whole row; more than its length where there is none.
inline std::int64_t nearest_along(const std::uint64_t* row, std::int64_t words, std::int64_t at, int bit) {
    const int close = near(row + at, bit);
    if (close < 64) return close;
    std::int64_t best = 64 * (words + 1);
    for (std::int64_t w = at - 1; w >= 0; --w)
        if (row[w]) {
            best = 64 * (at - w) + bit - (63 - __builtin_clzll(row[w]));
            break;
        }
    for (std::int64_t w = at + 1; w < words && 64 * (w - at) - bit < best; ++w)
        if (row[w]) {
            const std::int64_t right = 64 * (w - at) - bit + __builtin_ctzll(row[w]);
            if (right < best) best = right;
            break;
        }
    return best;
}

double search(const SearchTarget& t, std::int64_t z, std::int64_t y, std::int64_t at, int bit, std::int64_t words,
              std::int64_t* visits) {
    double best = kNone;
    std::int64_t k = 0;
    for (; k < t.row_count && t.rows[k].squared < best; ++k) {
        const RowOffset& offset = t.rows[k];
        const auto qz = static_cast<std::uint64_t>(z + offset.dz), qy = static_cast<std::uint64_t>(y + offset.dy);
        if (qz >= static_cast<std::uint64_t>(t.nz) || qy >= static_cast<std::uint64_t>(t.ny)) continue;
        const std::uint64_t* row =
            t.first_row + static_cast<std::int64_t>(qz * static_cast<std::uint64_t>(t.ny) + qy) * t.pitch;
        const std::int64_t dx = t.whole_rows ? nearest_along(row, words, at, bit) : near(row + at, bit);
        if (dx > (t.whole_rows ? 64 * words : 63)) continue;
        const double along = static_cast<double>(dx) * t.step;
        const double squared = offset.squared + along * along;
        if (squared < best) best = squared;
    }
    *visits += k;
    const double window = 64 * t.step;
    const bool certain = best <= t.reach && (t.whole_rows || best <= window * window);
    return certain ? best : -1.0;
}

std::int64_t search_row(const SearchTarget& t, std::int64_t z, std::int64_t y, const std::uint64_t* query,
                        std::int64_t words, double* squared, std::int64_t* visits) {
    const std::uint64_t* same = t.first_row + (z * t.ny + y) * t.pitch;
    std::int64_t found = 0;
    for (std::int64_t at = 0; at < words; ++at)
        for (std::uint64_t left = query[at]; left; left &= left - 1) {
            const int bit = __builtin_ctzll(left);
            const bool here = (same[at] >> bit) & 1;
            squared[found++] = here ? 0.0 : search(t, z, y, at, bit, words, visits);
        }
    return found;
}

}  // namespace

namespace USFAST_LEVEL {
extern const SurfaceTable surface_kernels;
const SurfaceTable surface_kernels{count, search_row};
}  // namespace USFAST_LEVEL

}  // namespace usfast
