#include "usfast/confusion.hpp"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

namespace usfast {

namespace {

using Pairs = std::map<std::pair<std::int64_t, std::int64_t>, LabelPair>;

void add(Pairs& pairs, const LabelPair& more) {
    const auto [at, fresh] = pairs.try_emplace({more.a, more.b}, more);
    if (fresh) return;
    LabelPair& known = at->second;
    known.count += more.count;
    for (std::size_t axis = 0; axis < 3; ++axis) {
        known.begin[axis] = std::min(known.begin[axis], more.begin[axis]);
        known.end[axis] = std::max(known.end[axis], more.end[axis]);
    }
}

// How far from `x` both rows keep their values; eight bytes at a time where labels are bytes.
template <typename A, typename B>
std::int64_t run_end(const A* a, const B* b, std::int64_t x, std::int64_t nx) {
    const A va = a[x];
    const B vb = b[x];
    ++x;
    if constexpr (sizeof(A) == 1 && sizeof(B) == 1) {
        std::uint64_t wa, wb;
        const std::uint64_t same_a = 0x0101010101010101u * static_cast<std::uint8_t>(va);
        const std::uint64_t same_b = 0x0101010101010101u * static_cast<std::uint8_t>(vb);
        for (; x + 8 <= nx; x += 8) {
            std::memcpy(&wa, a + x, 8), std::memcpy(&wb, b + x, 8);
            if (wa != same_a || wb != same_b) break;
        }
    }
    while (x < nx && a[x] == va && b[x] == vb) ++x;
    return x;
}

}  // namespace

template <typename A, typename B>
std::vector<LabelPair> confusion(const A* a, const B* b, const Index3& shape, int threads, const Progress& progress) {
    const auto [nz, ny, nx] = shape;
    std::vector<Pairs> parts(static_cast<std::size_t>(nz));
    parallel_for(
        nz, threads,
        [&, ny = ny, nx = nx](std::int64_t z, int) {
            Pairs& pairs = parts[static_cast<std::size_t>(z)];
            LabelPair* last = nullptr;  // most runs alternate between few pairs: skip the search for the same one
            for (std::int64_t y = 0; y < ny; ++y) {
                const A* row_a = a + (z * ny + y) * nx;
                const B* row_b = b + (z * ny + y) * nx;
                for (std::int64_t x = 0, end; x < nx; x = end) {
                    end = run_end(row_a, row_b, x, nx);
                    const auto va = static_cast<std::int64_t>(row_a[x]), vb = static_cast<std::int64_t>(row_b[x]);
                    if (!last || last->a != va || last->b != vb) {
                        const LabelPair fresh{va, vb, 0, {z, y, x}, {z + 1, y + 1, end}};
                        last = &pairs.try_emplace({va, vb}, fresh).first->second;
                    }
                    last->count += end - x;
                    last->begin[2] = std::min(last->begin[2], x), last->end[2] = std::max(last->end[2], end);
                    last->end[1] = y + 1;
                }
            }
        },
        progress);
    Pairs all;
    for (const Pairs& part : parts)
        for (const auto& [key, pair] : part) add(all, pair);
    std::vector<LabelPair> result;
    for (const auto& [key, pair] : all) result.push_back(pair);
    return result;
}

#define USFAST_INSTANTIATE(A, B) \
    template std::vector<LabelPair> confusion(const A*, const B*, const Index3&, int, const Progress&)
USFAST_INSTANTIATE(std::uint8_t, std::uint8_t);
USFAST_INSTANTIATE(std::int64_t, std::int64_t);
USFAST_INSTANTIATE(std::int32_t, std::int32_t);
USFAST_INSTANTIATE(std::int16_t, std::int16_t);
USFAST_INSTANTIATE(std::uint16_t, std::uint16_t);

}  // namespace usfast
