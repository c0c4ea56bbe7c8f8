#include "pack.hpp"

#include <algorithm>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace usfast {

namespace {

// Which of 64 values belong to the structure.
template <typename T>
std::uint64_t word_of(const T* values, std::int64_t count, std::int64_t label) {
    std::uint64_t word = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        const bool inside = label < 0 ? values[i] != T(0) : static_cast<std::int64_t>(values[i]) == label;
        word |= static_cast<std::uint64_t>(inside) << i;
    }
    return word;
}

#if defined(__SSE2__)
// Bytes, 16 at a time: this is where a pair of large masks is read from memory.
std::uint64_t word_of_bytes(const std::uint8_t* values, std::int64_t label) {
    const __m128i wanted = _mm_set1_epi8(static_cast<char>(label < 0 ? 0 : label));
    std::uint64_t word = 0;
    for (int part = 0; part < 4; ++part) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(values + 16 * part));
        const auto equal = static_cast<std::uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, wanted)));
        word |= static_cast<std::uint64_t>(equal) << (16 * part);
    }
    return label < 0 ? ~word : word;
}

template <>
std::uint64_t word_of(const std::uint8_t* values, std::int64_t count, std::int64_t label) {
    if (label > 255) return 0;
    if (count == 64) return word_of_bytes(values, label);
    std::uint8_t padded[64];
    std::memset(padded, label == 0 ? 1 : 0, sizeof padded);
    std::memcpy(padded, values, static_cast<std::size_t>(count));
    return word_of_bytes(padded, label);
}
#endif

// Rows a task: enough work to outweigh handing it out.
std::int64_t planes_per_task(const BitVolume& bits) {
    return std::max<std::int64_t>(1, 4096 / std::max<std::int64_t>(1, bits.ny * bits.pitch));
}

}  // namespace

template <typename T>
BitVolume pack(const MaskView<T>& mask, std::int64_t label, int threads) {
    BitVolume bits(mask.end[0] - mask.begin[0], mask.end[1] - mask.begin[1], mask.end[2] - mask.begin[2]);
    const std::int64_t planes = planes_per_task(bits);
    parallel_for((bits.nz + planes - 1) / planes, threads, [&](std::int64_t task, int) {
        for (std::int64_t z = task * planes; z < std::min(bits.nz, (task + 1) * planes); ++z)
            for (std::int64_t y = 0; y < bits.ny; ++y) {
                const T* values = mask.data + (mask.begin[0] + z) * mask.stride[0] +
                                  (mask.begin[1] + y) * mask.stride[1] + mask.begin[2];
                std::uint64_t* row = bits.row(z, y);
                for (std::int64_t x = 0; x < bits.nx; x += 64)
                    row[x / 64] = word_of(values + x, std::min<std::int64_t>(64, bits.nx - x), label);
            }
    });
    return bits;
}

Box common_box(const BitVolume& a, const BitVolume& b, int threads) {
    const std::int64_t words = a.row_words();
    std::vector<Box> found(static_cast<std::size_t>(a.nz), Box{0, 0, 0, 0, 0, 0});
    parallel_for(a.nz, threads, [&](std::int64_t z, int) {
        Box box{z, z, a.ny, 0, words, 0};
        for (std::int64_t y = 0; y < a.ny; ++y) {
            const std::uint64_t *ra = a.row(z, y), *rb = b.row(z, y);
            std::int64_t first = 0, last = words;
            while (first < words && !(ra[first] | rb[first])) ++first;
            if (first == words) continue;
            while (!(ra[last - 1] | rb[last - 1])) --last;
            box.y0 = std::min(box.y0, y), box.y1 = y + 1, box.z1 = z + 1;
            box.x0 = std::min(box.x0, first), box.x1 = std::max(box.x1, last);
        }
        found[static_cast<std::size_t>(z)] = box;
    });
    Box all{a.nz, 0, a.ny, 0, words, 0};
    for (const Box& box : found) {
        if (box.empty()) continue;
        all.z0 = std::min(all.z0, box.z0), all.z1 = box.z1;
        all.y0 = std::min(all.y0, box.y0), all.y1 = std::max(all.y1, box.y1);
        all.x0 = std::min(all.x0, box.x0), all.x1 = std::max(all.x1, box.x1);
    }
    all.x0 *= 64, all.x1 = std::min(all.x1 * 64, a.nx);
    return all;
}

template BitVolume pack(const MaskView<std::uint8_t>&, std::int64_t, int);
template BitVolume pack(const MaskView<std::uint16_t>&, std::int64_t, int);
template BitVolume pack(const MaskView<std::int16_t>&, std::int64_t, int);
template BitVolume pack(const MaskView<std::int32_t>&, std::int64_t, int);
template BitVolume pack(const MaskView<std::int64_t>&, std::int64_t, int);

}  // namespace usfast
