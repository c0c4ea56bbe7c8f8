#include "holes.hpp"

#include <algorithm>

#include "kernel.hpp"

namespace usfast {
namespace {

// out = words | (words moved by `by` bits towards higher ones), as one long string of bits.
void spread(const std::uint64_t* words, std::int64_t count, std::int64_t by, std::uint64_t* out) {
    const std::int64_t whole = std::min(by / 64, count);
    const int part = static_cast<int>(by % 64);
    std::copy_n(words, whole, out);
    if (part == 0) {
        for (std::int64_t i = whole; i < count; ++i) out[i] = words[i] | words[i - whole];
        return;
    }
    if (whole < count) out[whole] = words[whole] | words[0] << part;
    for (std::int64_t i = whole + 1; i < count; ++i)
        out[i] = words[i] | words[i - whole] << part | words[i - whole - 1] >> (64 - part);
}

// Every set bit becomes `length` of them, `stride` bits apart: each step doubles what there is.
void repeat(std::vector<std::uint64_t>& words, std::int64_t length, std::int64_t stride,
            std::vector<std::uint64_t>& spare) {
    for (std::int64_t done = 1; done < length;) {
        const std::int64_t step = std::min(done, length - done);
        spread(words.data(), static_cast<std::int64_t>(words.size()), step * stride, spare.data());
        words.swap(spare);
        done += step;
    }
}

// Dilation by a box. The result lies `reach` further out on every side than the input, so that each bit spreads
// towards higher indices only, and never from a row into the next.
Bits dilate(const Bits& set, std::int64_t nx, const std::int64_t (&reach)[3], int threads) {
    Bits planes(nx + 2 * reach[0], set.ny + 2 * reach[1], set.nz);
    Bits out(nx + 2 * reach[0], planes.ny, set.nz + 2 * reach[2]);
    const std::int64_t words = planes.words, plane = planes.ny * words;
    parallel_for(set.nz, threads, [&](std::int64_t z, int) {
        std::vector<std::uint64_t> rows(static_cast<std::size_t>(plane)), spare(rows.size());
        for (std::int64_t y = 0; y < set.ny; ++y) std::copy_n(set.row(y, z), set.words, rows.data() + y * words);
        repeat(rows, 2 * reach[0] + 1, 1, spare);
        repeat(rows, 2 * reach[1] + 1, 64 * words, spare);
        std::copy(rows.begin(), rows.end(), planes.row(0, z));
    });
    parallel_for(out.nz, threads, [&](std::int64_t z, int) {
        std::uint64_t* to = out.row(0, z);
        for (std::int64_t k = std::max<std::int64_t>(z - 2 * reach[2], 0); k <= std::min(z, set.nz - 1); ++k) {
            const std::uint64_t* from = planes.row(0, k);
            for (std::int64_t i = 0; i < plane; ++i) to[i] |= from[i];
        }
    });
    return out;
}

// Word w of a row from bit `first` on.
std::uint64_t word_from(const std::uint64_t* row, std::int64_t words, std::int64_t w, std::int64_t first) {
    const std::int64_t from = w + first / 64;
    const int part = static_cast<int>(first % 64);
    const std::uint64_t near = from < words ? row[from] >> part : 0;
    return part && from + 1 < words ? near | row[from + 1] << (64 - part) : near;
}

}  // namespace

Bits known_voxels(const float* weight, const GridSize& size, int threads) {
    Bits known(size.x, size.y, size.z);
    parallel_for(size.z, threads, [&](std::int64_t z, int) {
        for (std::int64_t y = 0; y < size.y; ++y)
            fill_table().known_bits(weight + (z * size.y + y) * size.x, size.x, known.row(y, z));
    });
    return known;
}

Bits fillable(const Bits& known, const GridSize& size, const std::int64_t (&reach)[3], bool extend, int threads) {
    Bits reached = dilate(known, size.x, reach, threads);
    std::int64_t margin = 1;  // how far `reached` lies out, in units of `reach`
    if (!extend) {
        // Erosion is the dilation of the complement.
        const std::int64_t nx = size.x + 2 * reach[0];
        const std::uint64_t last = nx % 64 == 0 ? ~std::uint64_t{0} : (std::uint64_t{1} << nx % 64) - 1;
        parallel_for(reached.nz, threads, [&](std::int64_t z, int) {
            for (std::int64_t y = 0; y < reached.ny; ++y) {
                std::uint64_t* row = reached.row(y, z);
                for (std::int64_t w = 0; w < reached.words; ++w) row[w] = ~row[w];
                row[reached.words - 1] &= last;
            }
        });
        reached = dilate(reached, nx, reach, threads);
        margin = 2;
    }
    Bits holes(size.x, size.y, size.z);
    const std::uint64_t last = size.x % 64 == 0 ? ~std::uint64_t{0} : (std::uint64_t{1} << size.x % 64) - 1;
    parallel_for(size.z, threads, [&](std::int64_t z, int) {
        for (std::int64_t y = 0; y < size.y; ++y) {
            const std::uint64_t* from = reached.row(y + margin * reach[1], z + margin * reach[2]);
            std::uint64_t* row = holes.row(y, z);
            for (std::int64_t w = 0; w < holes.words; ++w) {
                const std::uint64_t word = word_from(from, reached.words, w, margin * reach[0]);
                row[w] = (extend ? word : ~word) & ~known.row(y, z)[w];
            }
            row[holes.words - 1] &= last;
        }
    });
    return holes;
}

}  // namespace usfast
