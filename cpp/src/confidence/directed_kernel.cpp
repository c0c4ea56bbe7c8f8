#include "directed_kernel.hpp"

#include "../dispatch/level.hpp"

namespace usfast {
namespace {

constexpr int lanes = directed_lanes;
using Doubles = double __attribute__((vector_size(lanes * 8), aligned(8), may_alias));
using Bits = long long __attribute__((vector_size(lanes * 8), aligned(8), may_alias));
using Count = unsigned long long __attribute__((vector_size(lanes * 8), aligned(8), may_alias));

inline Doubles load(const double* from) { return *reinterpret_cast<const Doubles*>(from); }
inline Doubles distance(Doubles a, Doubles b) {
    const Doubles d = a - b;
    return reinterpret_cast<Doubles>(reinterpret_cast<Bits>(d) & 0x7FFFFFFFFFFFFFFFLL);
}

constexpr double log2_e = 1.4426950408889634;
constexpr double least = 1000;  // 2^-least counts as 0

// 2^x for |x| <= least to 1e-14: a Taylor polynomial of what is left of x beside a whole number.
inline Doubles power_of_two(Doubles x) {
    const Doubles shift = Doubles{} + 6755399441055744.0;  // 1.5 * 2^52: adding it rounds to a whole number
    const Doubles shifted = x + shift, r = x - (shifted - shift);
    // log(2)^n / n!, n from 11 to 0
    Doubles p = r * 4.4455382718708116e-10 + 7.0549116208011234e-09;
    constexpr double terms[] = {1.0178086009239700e-07, 1.3215486790144309e-06,
                                1.5252733804059840e-05, 1.5403530393381610e-04,
                                1.3333558146428443e-03, 9.6181291076284772e-03,
                                5.5504108664821580e-02, 2.4022650695910071e-01,
                                6.9314718055994531e-01, 1.0};
    for (const double term : terms) p = p * r + term;
    return reinterpret_cast<Doubles>(reinterpret_cast<Bits>(p) + (reinterpret_cast<Bits>(shifted) << 52));
}

// log2(x) of normal numbers x > 0: x = 2^k m, m from 0.7 to 1.4, and the series of log((1 + s) / (1 - s)).
inline Doubles logarithm(Doubles x) {
    const Bits bits = reinterpret_cast<Bits>(x);
    // k comes to stand in the exponent: mantissas from the square root of two on carry over.
    const Bits biased = reinterpret_cast<Bits>(reinterpret_cast<Count>(bits + 0x00095F619980C433LL) >> 52);
    const Doubles m = reinterpret_cast<Doubles>(bits - ((biased - 1023) << 52));
    const Doubles k = reinterpret_cast<Doubles>(biased | 0x4330000000000000LL) - (4503599627370496.0 + 1023);
    const Doubles s = (m - 1.0) / (m + 1.0), t = s * s;
    Doubles p = Doubles{} + 1 / 19.0;
    constexpr double inverse[] = {1 / 17.0, 1 / 15.0, 1 / 13.0, 1 / 11.0, 1 / 9.0, 1 / 7.0, 1 / 5.0, 1 / 3.0, 1.0};
    for (const double term : inverse) p = p * t + term;
    return k + 2 * log2_e * s * p;
}

// Sum over the row of |fixed - moved|.
double sum_of_distances(const DirectedStep& step, int k) {
    const double* moved = step.moved + step.sign * k;
    Doubles sum{}, other{};
    std::int64_t j = 0;
    for (; j + 2 * lanes <= step.count; j += 2 * lanes) {
        sum += distance(load(step.fixed + j), load(moved + j));
        other += distance(load(step.fixed + j + lanes), load(moved + j + lanes));
    }
    sum += other;
    double all = 0;
    for (int lane = 0; lane < lanes; ++lane) all += sum[lane];
    for (; j < step.count; ++j) all += step.fixed[j] > moved[j] ? step.fixed[j] - moved[j] : moved[j] - step.fixed[j];
    return all;
}

double largest_gradient(const DirectedStep& step) {
    double most = 0;
    for (int k = -directed_reach; k <= directed_reach; ++k) {
        const double* moved = step.moved + step.sign * k;
        for (std::int64_t j = 0; j < step.count; ++j) {
            const double d = step.fixed[j] > moved[j] ? step.fixed[j] - moved[j] : moved[j] - step.fixed[j];
            most = d > most ? d : most;
        }
    }
    return most + step.floor;
}

// ratio^power, at most 2^least
inline Doubles raised(Doubles ratio, double power) {
    const Doubles most = Doubles{} + least, x = logarithm(ratio) * power;
    return power_of_two(x > most ? most : x < -most ? -most : x);
}

// plain: power 1, no marks, and no loss that would have to be counted as infinite.
template <bool plain>
void descend_row(const DirectedStep& step, const double* inverse, double* out) {
    const Doubles cap = Doubles{} + step.cap, most = Doubles{} + least;
    const double loss = step.loss * log2_e;
    double factor[directed_parents];
    for (int k = 0; k < directed_parents; ++k) factor[k] = -inverse[k] * loss;
    for (std::int64_t j = 0; j < step.count; j += lanes) {
        const Doubles fixed = load(step.fixed + j);
        Doubles total{};
        for (int k = -directed_reach; k <= directed_reach; ++k) {
            const int parent = k + directed_reach;
            const Doubles gradient = distance(fixed, load(step.moved + j + step.sign * k)) + step.floor;
            const Doubles given = load(step.above + j + k) * step.spread[parent];
            if constexpr (plain) {
                total += power_of_two(gradient * factor[parent]) * given;
            } else {
                Doubles ratio = gradient * inverse[parent];
                if (step.marks) {
                    const Doubles mark = load(step.marks + j);
                    ratio = mark == mark_needle ? Doubles{} + step.largest * inverse[parent] : ratio;
                    ratio = mark == mark_artifact ? Doubles{} + 1.0 : ratio;
                }
                if (step.power != 1) ratio = raised(ratio, step.power);
                const Doubles lost = ratio * loss, kept = power_of_two(-(lost > most ? most : lost));
                total += lost > most ? Doubles{} : kept * given;
            }
        }
        *reinterpret_cast<Doubles*>(out + j) = total > cap ? cap : total;
    }
}

void descend(const DirectedStep& step, double* out) {
    double inverse[directed_parents], largest = 0;
    const auto columns = static_cast<double>(step.count);
    for (int k = 0; k < directed_parents; ++k) {
        inverse[k] = 1 / (sum_of_distances(step, k - directed_reach) / columns + step.floor);
        largest = inverse[k] > largest ? inverse[k] : largest;
    }
    // No gradient is larger than 1 + floor.
    const bool plain = step.power == 1 && !step.marks && (1 + step.floor) * largest * step.loss * log2_e < least;
    plain ? descend_row<true>(step, inverse, out) : descend_row<false>(step, inverse, out);
}

}  // namespace

namespace USFAST_LEVEL {
extern const DirectedTable directed_kernels;
const DirectedTable directed_kernels{largest_gradient, descend};
}  // namespace USFAST_LEVEL

}  // namespace usfast
