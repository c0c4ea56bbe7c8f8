// The two kinds of numbers that IGSIO computes positions with, and its ways of rounding them.
#pragma once

#include <cmath>
#include <cstdint>

namespace usfast::plus {

// 14 fraction bits in 32; products and quotients are rounded back to them. Kept in 64 bits here, so that nothing can
// overflow; within IGSIO's range (coordinates below 131072 voxels) the values are the same.
struct Fixed {
    static constexpr std::int64_t one = 1 << 14;
    std::int64_t bits = 0;

    static Fixed from(double x) { return {static_cast<std::int64_t>(std::nearbyint(x * one))}; }
    static Fixed from(std::int64_t x) { return {x * one}; }
    explicit operator float() const { return static_cast<float>(bits) / static_cast<float>(one); }

    friend Fixed operator+(Fixed a, Fixed b) { return {a.bits + b.bits}; }
    friend Fixed operator-(Fixed a, Fixed b) { return {a.bits - b.bits}; }
    friend Fixed operator*(Fixed a, Fixed b) { return {(a.bits * b.bits + one / 2) >> 14}; }
    friend Fixed operator/(Fixed a, Fixed b) {
        return {static_cast<std::int64_t>(
            std::nearbyint(static_cast<double>(one) * static_cast<double>(a.bits) / static_cast<double>(b.bits)))};
    }
    friend bool operator>=(Fixed a, Fixed b) { return a.bits >= b.bits; }
    bool is_zero() const { return bits == 0; }
};

inline Fixed times(Fixed a, std::int64_t b) { return {a.bits * b}; }
inline std::int64_t round_index(Fixed a) { return (a.bits + Fixed::one / 2) >> 14; }
inline std::int64_t floor_index(Fixed a) { return a.bits >> 14; }

struct Double {
    double value = 0;

    static Double from(double x) { return {x}; }
    static Double from(std::int64_t x) { return {static_cast<double>(x)}; }

    friend Double operator+(Double a, Double b) { return {a.value + b.value}; }
    friend Double operator-(Double a, Double b) { return {a.value - b.value}; }
    friend Double operator*(Double a, Double b) { return {a.value * b.value}; }
    friend Double operator/(Double a, Double b) { return {a.value / b.value}; }
    friend bool operator>=(Double a, Double b) { return a.value >= b.value; }
    bool is_zero() const { return value == 0; }
};

// IGSIO adds 1.5 * 2^36, which rounds to a multiple of 2^-16 and so lets numbers up to 2^-17 below an integer pass.
constexpr double magic = 103079215104.0;

inline Double times(Double a, std::int64_t b) { return {a.value * static_cast<double>(b)}; }
inline std::int64_t round_index(Double a) {
    return static_cast<std::int64_t>(a.value + (magic + 0.5)) - static_cast<std::int64_t>(magic);
}
inline std::int64_t floor_index(Double a) {
    return static_cast<std::int64_t>(a.value + magic) - static_cast<std::int64_t>(magic);
}

}  // namespace usfast::plus
