#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "check.hpp"
#include "usfast/simulate.hpp"

using namespace usfast;

namespace {

constexpr std::int64_t samples = 120, lines = 24;

struct Tables {
    std::vector<float> lateral, elevational, gain;
    Tables() : lateral(samples, 1.5F), elevational(samples, 0.7F), gain(samples, 1.0F) {}
    BeamGrid grid() const {
        return {lines, samples, -2.0, 0.2, 0.05, 0.1, 9.7, 3.0, lateral.data(), elevational.data(), gain.data()};
    }
};

Scatterers find(double radius, const double* pose) {
    const std::vector<float> lateral(30, radius > 0 ? 0.4F : 3.0F), elevation(30, 1.2F);
    return find_scatterers({radius, -0.5, 0.25, 30, lateral.data(), elevation.data()}, pose, 0.4, 7);
}

// The region's volume times the density, for any pose.
void test_density() {
    const double s = std::sqrt(0.5);
    for (const auto& pose : {std::vector<double>{1, 0, 0, 3, 0, 1, 0, 4, 0, 0, 1, 5, 0, 0, 0, 1},
                             std::vector<double>{s, -s, 0, -900, s, s, 0, 0, 0, 0, 1, 1e5, 0, 0, 0, 1}}) {
        const auto linear = static_cast<double>(find(0, pose.data()).depth.size());
        CHECK(std::fabs(linear * 0.064 / (6.0 * 2.4 * 7.5) - 1) < 0.08);
        const auto convex = static_cast<double>(find(20, pose.data()).depth.size());
        CHECK(std::fabs(convex * 0.064 / (0.4 * (27.0 * 27.0 - 19.5 * 19.5) * 2.4) - 1) < 0.08);
    }
}

void test_one_echo() {
    const Tables tables;
    const float lateral = 0.4F, depth = 3.0F, elevation = 0.7F, amplitude = 2;
    std::vector<std::complex<float>> out(lines * samples);
    sum_echoes(tables.grid(), {&lateral, &depth, &elevation, &amplitude, 1}, out.data());
    const auto expected = 2 * std::exp(-0.5) * std::polar(1.0, -2 * std::acos(-1.0) * 9.7 * 3.0);
    CHECK(std::abs(std::complex<double>(out[12 * samples + 60]) - expected) < 1e-3);
    // One line (of sigma 1.5) and two samples (one sigma) on.
    const auto beside = expected * std::exp(-1 / 4.5 - 0.5);
    CHECK(std::abs(std::complex<double>(out[13 * samples + 62]) - beside) < 2e-3);
    CHECK(out[0] == std::complex<float>());
}

// Any numbers at all: nothing is written outside the grid (the sanitizer watches).
void test_wild_echoes() {
    const Tables tables;
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> wild{nan, inf, -inf, 1e30F, -1e30F, -0.4F, -0.39F, 0, 2, 5.95F, 6.0F, 6.3F, 6.31F, 6.4F};
    std::vector<float> lateral, depth, elevation, amplitude;
    for (const float a : wild)
        for (const float b : wild)
            for (const float c : wild)
                lateral.push_back(a), depth.push_back(b), elevation.push_back(c), amplitude.push_back(1);
    std::vector<std::complex<float>> out(lines * samples);
    sum_echoes(
        tables.grid(),
        {lateral.data(), depth.data(), elevation.data(), amplitude.data(), static_cast<std::int64_t>(lateral.size())},
        out.data());
    sum_echoes(tables.grid(), {nullptr, nullptr, nullptr, nullptr, 0}, out.data());
    CHECK(std::all_of(out.begin(), out.end(), [](auto v) { return v == std::complex<float>(); }));
}

void test_scan() {
    std::vector<std::complex<float>> values(lines * samples);
    for (std::int64_t l = 0; l < lines; ++l)
        for (std::int64_t s = 0; s < samples; ++s)
            values[static_cast<std::size_t>(l * samples + s)] = {static_cast<float>(l), static_cast<float>(s)};
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> place{0, 0, 3, 4, 2.5F, 3.5F, 23, 119, 23.01F, 5, -0.1F, 5, nan, 5, 5, nan, -1, -1};
    std::vector<float> envelope(place.size() / 2);
    scan_convert(values.data(), nullptr, lines, samples, place.data(), static_cast<std::int64_t>(envelope.size()),
                 envelope.data());
    CHECK(envelope[0] == 0 && std::fabs(envelope[1] - 5) < 1e-6F);
    CHECK(std::fabs(envelope[2] - std::hypot(2.5F, 3.5F)) < 1e-5F);
    CHECK(std::fabs(envelope[3] - std::hypot(23.0F, 119.0F)) < 1e-4F);
    for (std::size_t n = 4; n < envelope.size(); ++n) CHECK(envelope[n] == 0);
    // Neighbours of opposite phase do not cancel where they are an interface.
    std::vector<std::complex<float>> flipped(lines * samples, 1.0F), none(lines * samples);
    std::fill(flipped.begin() + 12 * samples, flipped.end(), -1.0F);
    const float between[2] = {11.5F, 7.0F};
    scan_convert(none.data(), flipped.data(), lines, samples, between, 1, envelope.data());
    CHECK(std::fabs(envelope[0] - 1) < 1e-6F);
}

}  // namespace

int main() {
    test_density();
    test_one_echo();
    test_wild_echoes();
    test_scan();
}
