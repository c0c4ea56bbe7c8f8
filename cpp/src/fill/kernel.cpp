#include "kernel.hpp"

#include "../dispatch/level.hpp"

namespace usfast {
namespace {

#if defined(__AVX512F__)
constexpr int bytes = 64;
#elif defined(__AVX2__)
constexpr int bytes = 32;
#else
constexpr int bytes = 16;
#endif

template <typename Real>
struct Vector;
template <>
struct Vector<float> {
    using Type = float __attribute__((vector_size(bytes), aligned(4), may_alias));
};
template <>
struct Vector<double> {
    using Type = double __attribute__((vector_size(bytes), aligned(8), may_alias));
};

// 64 flags (0 or 1) as the bits of a word, and back. A product gathers the lowest bits of 8 bytes in the top byte, or
// spreads a byte over 8 of which each keeps a bit of its own.
std::uint64_t gather(const std::uint8_t* flags) {
    std::uint64_t word = 0;
    for (int i = 0; i < 8; ++i) {
        std::uint64_t eight;
        __builtin_memcpy(&eight, flags + 8 * i, 8);
        word |= (eight * 0x0102040810204080U >> 56) << (8 * i);
    }
    return word;
}

void scatter(std::uint64_t word, std::uint8_t* flags) {
    for (int i = 0; i < 8; ++i) {
        const std::uint64_t bits = (word >> (8 * i) & 0xFF) * 0x0101010101010101U & 0x8040201008040201U;
        const std::uint64_t eight = (bits + 0x7F7F7F7F7F7F7F7FU) >> 7 & 0x0101010101010101U;
        __builtin_memcpy(flags + 8 * i, &eight, 8);
    }
}

void known_bits(const float* weight, std::int64_t count, std::uint64_t* words) {
    for (; count >= 64; count -= 64, weight += 64, ++words) {
        std::uint8_t flags[64];
        for (int i = 0; i < 64; ++i) flags[i] = weight[i] > 0;
        *words = gather(flags);
    }
    if (count == 0) return;
    std::uint8_t flags[64] = {};
    for (int i = 0; i < count; ++i) flags[i] = weight[i] > 0;
    *words = gather(flags);
}

template <typename Real>
void split(const float* value, const float* weight, std::int64_t count, bool certainty, Real* sums, Real* totals) {
    if (certainty)
        for (std::int64_t i = 0; i < count; ++i) {
            totals[i] = weight[i] > 0 ? static_cast<Real>(weight[i]) : Real(0);
            sums[i] = weight[i] > 0 ? totals[i] * static_cast<Real>(value[i]) : Real(0);
        }
    else
        for (std::int64_t i = 0; i < count; ++i) {
            totals[i] = weight[i] > 0 ? Real(1) : Real(0);
            sums[i] = weight[i] > 0 ? static_cast<Real>(value[i]) : Real(0);
        }
}

template <typename Real>
void combine(const Real* const* rows, const Real* factor, int count, std::int64_t length, Real* out) {
    using Lanes = typename Vector<Real>::Type;
    constexpr int lanes = bytes / static_cast<int>(sizeof(Real)), step = 4 * lanes;
    static_assert(64 % step == 0);
    for (std::int64_t i = 0; i < length; i += step) {
        Lanes a = {}, b = {}, c = {}, d = {};
        for (int j = 0; j < count; ++j) {
            if (!rows[j]) continue;
            const Real* row = rows[j] + i;
            a += factor[j] * *reinterpret_cast<const Lanes*>(row);
            b += factor[j] * *reinterpret_cast<const Lanes*>(row + lanes);
            c += factor[j] * *reinterpret_cast<const Lanes*>(row + 2 * lanes);
            d += factor[j] * *reinterpret_cast<const Lanes*>(row + 3 * lanes);
        }
        *reinterpret_cast<Lanes*>(out + i) = a;
        *reinterpret_cast<Lanes*>(out + i + lanes) = b;
        *reinterpret_cast<Lanes*>(out + i + 2 * lanes) = c;
        *reinterpret_cast<Lanes*>(out + i + 3 * lanes) = d;
    }
}

template <typename Real>
std::uint64_t write(const Real* sums, const Real* totals, std::uint64_t holes, int count, float* value,
                    std::uint8_t* filled) {
    std::uint8_t hole[64];
    scatter(holes, hole);
    for (int i = 0; i < count; ++i) {
        const bool found = (hole[i] != 0) & (totals[i] > 0);
        const auto mean = static_cast<float>(sums[i] / totals[i]);
        value[i] = found ? mean : value[i];
        filled[i] |= static_cast<std::uint8_t>(found);
        hole[i] &= static_cast<std::uint8_t>(!found);
    }
    return gather(hole);
}

}  // namespace

namespace USFAST_LEVEL {
extern const FillTable fill_kernels;
const FillTable fill_kernels{known_bits,      split<float>, split<double>, combine<float>,
                             combine<double>, write<float>, write<double>};
}  // namespace USFAST_LEVEL

}  // namespace usfast
