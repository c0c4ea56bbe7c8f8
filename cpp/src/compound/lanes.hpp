// As many floats as a register of this instruction set level holds.
#pragma once

namespace usfast {
namespace {

#if defined(__AVX512F__)
constexpr int lanes = 16;
#elif defined(__AVX__)
constexpr int lanes = 8;
#else
constexpr int lanes = 4;
#endif

using Lanes = float __attribute__((vector_size(4 * lanes), aligned(4), may_alias));
using Index = int __attribute__((vector_size(4 * lanes)));

// a0 b0 a1 b1 ... to `to`, 2 * lanes numbers.
inline void interleave(Lanes a, Lanes b, float* to) {
    Index low, high;
    for (int i = 0; i < lanes; ++i) {
        low[i] = i / 2 + i % 2 * lanes;
        high[i] = low[i] + lanes / 2;
    }
    *reinterpret_cast<Lanes*>(to) = __builtin_shuffle(a, b, low);
    *reinterpret_cast<Lanes*>(to + lanes) = __builtin_shuffle(a, b, high);
}

}  // namespace
}  // namespace usfast
