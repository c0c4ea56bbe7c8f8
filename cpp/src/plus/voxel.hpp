// What one pixel does to one voxel, for every interpolation, compounding mode and kind of number.
#pragma once

#include <type_traits>

#include "numbers.hpp"

namespace usfast::plus {

constexpr int full_weight = 256, most = 65535, threshold = 65279;

// Mean by a running division; truncates for integers, as IGSIO does. `weight` is 256 or the importance.
template <typename T>
void nearest_mean(T in, int weight, T& out, std::uint16_t& acc) {
    if (acc > threshold) {
        out = static_cast<T>(in * (1 / 256.0) + out * (255 / 256.0));
        return;
    }
    const int sum = acc + weight;
    if constexpr (std::is_same_v<T, float>)
        out = (in * static_cast<float>(weight) + out * static_cast<float>(acc)) / static_cast<float>(sum);
    else
        out = static_cast<T>((in * weight + out * acc) / sum);
    acc = static_cast<std::uint16_t>(sum < most ? sum : most);
}

template <typename Number>
std::uint16_t accumulated(Number a) {
    return a >= Number::from(std::int64_t{most}) ? most : static_cast<std::uint16_t>(round_index(a));
}

inline std::uint8_t mixed_mean(std::uint8_t in, std::uint8_t out, Fixed f, Fixed r, Fixed a) {
    return static_cast<std::uint8_t>(round_index((times(f, in) + times(r, out)) / a));
}
inline float mixed_mean(float in, float out, Fixed f, Fixed r, Fixed a) {
    return (static_cast<float>(f) * in + static_cast<float>(r) * out) / static_cast<float>(a);
}
inline std::uint8_t mixed_mean(std::uint8_t in, std::uint8_t out, Double f, Double r, Double a) {
    return static_cast<std::uint8_t>(round_index(Double{(f.value * in + r.value * out) / a.value}));
}
inline float mixed_mean(float in, float out, Double f, Double r, Double a) {
    return static_cast<float>((f.value * static_cast<double>(in) + r.value * static_cast<double>(out)) / a.value);
}

template <typename T, typename Number>
void linear_mean(T in, Number w, T& out, std::uint16_t& acc) {
    const Number full = Number::from(std::int64_t{full_weight});
    const Number r = Number::from(std::int64_t{acc}) / full, a = w + r;
    out = mixed_mean(in, out, w, r, a);
    acc = accumulated(times(a, full_weight));
}

inline std::uint8_t mixed_importance(std::uint8_t in, std::uint8_t out, int m, Fixed w, Fixed acc, Fixed a) {
    return static_cast<std::uint8_t>(round_index(times(w, in * m) / a + times(acc / a, out)));
}
inline float mixed_importance(float in, float out, int m, Fixed w, Fixed acc, Fixed a) {
    const float added = in * static_cast<float>(m) * static_cast<float>(w) / static_cast<float>(a);
    return static_cast<float>(Fixed::from(static_cast<double>(added + static_cast<float>(acc / a) * out)));
}
inline std::uint8_t mixed_importance(std::uint8_t in, std::uint8_t out, int m, Double w, Double acc, Double a) {
    return static_cast<std::uint8_t>(round_index(Double{(in * m * w.value + out * acc.value) / a.value}));
}
inline float mixed_importance(float in, float out, int m, Double w, Double acc, Double a) {
    const float added = in * static_cast<float>(m), kept = out * static_cast<float>(acc.value);
    return static_cast<float>((static_cast<double>(added) * w.value + static_cast<double>(kept)) / a.value);
}

template <typename T, typename Number>
void linear_importance(T in, int m, Number w, T& out, std::uint16_t& acc) {
    if (m == 0) return;
    const Number before = Number::from(std::int64_t{acc}), a = times(w, m) + before;
    out = mixed_importance(in, out, m, w, before, a);
    acc = accumulated(a);
}

}  // namespace usfast::plus
