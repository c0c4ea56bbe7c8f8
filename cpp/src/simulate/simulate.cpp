// The sum of echoes in beam space: the tables that the inner loop reads, the padded grid it writes, and back.
#include "usfast/simulate.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "splat.hpp"

namespace usfast {

namespace {

// The pulse at every fraction of a sample; its centre lies between taps pulse_taps / 2 - 1 and pulse_taps / 2.
std::vector<float> pulse_table(double sigma) {
    std::vector<float> taps(static_cast<std::size_t>(tap_phases * pulse_taps));
    for (std::int64_t phase = 0; phase < tap_phases; ++phase)
        for (std::int64_t tap = 0; tap < pulse_taps; ++tap) {
            const double away = static_cast<double>(tap - (pulse_taps / 2 - 1)) -
                                static_cast<double>(phase) / static_cast<double>(tap_phases);
            taps[static_cast<std::size_t>(phase * pulse_taps + tap)] =
                static_cast<float>(std::exp(-away * away / (2 * sigma * sigma)));
        }
    return taps;
}

std::vector<float> rates(const float* sigma, std::int64_t count) {
    std::vector<float> rate(static_cast<std::size_t>(count));
    std::transform(sigma, sigma + count, rate.begin(), [](float s) { return 1 / (2 * s * s); });
    return rate;
}

}  // namespace

void sum_echoes(const BeamGrid& grid, const Echoes& echoes, std::complex<float>* out) {
    const std::vector<float> taps = pulse_table(grid.pulse_sigma / grid.sample_step);
    const std::vector<float> lateral = rates(grid.lateral_sigma, grid.samples);
    const std::vector<float> elevation = rates(grid.elevational_sigma, grid.samples);
    std::vector<float> reach(static_cast<std::size_t>(grid.samples));
    std::transform(grid.lateral_sigma, grid.lateral_sigma + grid.samples, reach.begin(),
                   [&](float s) { return static_cast<float>(grid.cutoff) * s; });
    const std::int64_t stride = grid.samples + 2 * pulse_taps;
    std::vector<float> sums(static_cast<std::size_t>(2 * stride * grid.lines), 0.0F);
    splat_table().splat(grid, echoes,
                        {sums.data(), stride, taps.data(), lateral.data(), reach.data(), elevation.data()});
    for (std::int64_t line = 0; line < grid.lines; ++line) {
        const float* re = sums.data() + 2 * stride * line + pulse_taps;
        const float* im = re + stride;
        for (std::int64_t s = 0; s < grid.samples; ++s) out[line * grid.samples + s] = {re[s], im[s]};
    }
}

}  // namespace usfast
