// What does one scatterer add to the lines around it? Weights and phase are computed for blocks of scatterers, which
// the compiler vectorises; then each adds its pulse to its lines, in order.
#include "splat.hpp"

#include "../dispatch/level.hpp"

namespace usfast {
namespace {

constexpr int block = 64;
constexpr int half_taps = pulse_taps / 2;

using Eight = float __attribute__((vector_size(32), aligned(4), may_alias));

struct Block {
    std::int32_t place[block], taps[block];  // where the pulse begins, in a row of sums and in the table
    float depth[block], reach[block], rate[block], elevation_rate[block], gain[block];
    std::int32_t first[block], last[block];  // lines
    float weight[block], ratio[block], square[block];
    float re[block], im[block];
};

inline std::int32_t floor_int(float p) {
    const auto truncated = static_cast<std::int32_t>(p);
    return truncated - (static_cast<float>(truncated) > p);
}

// e^-x for |x| <= 80 and held there, relative error 2e-7; written out so that every instruction set gives the same
// bits.
inline float exp_minus(float x) {
    const float above = x > -80.0f ? x : -80.0f;
    const float t = (above < 80.0f ? above : 80.0f) * -1.44269504f;
    const std::int32_t whole = floor_int(t);
    const float f = (t - static_cast<float>(whole)) * 0.693147181f;  // [0, ln 2)
    const float series =
        1 + f * (1 + f * (0.5f +
                          f * (0.166666667f + f * (0.0416666667f + f * (0.00833333333f +
                                                                        f * (0.00138888889f + f * 0.000198412698f))))));
    return series * __builtin_bit_cast(float, (whole + 127) << 23);
}

// cos and sin of 2 pi x.
inline void turn(float x, float& cosine, float& sine) {
    const float fraction = x - static_cast<float>(floor_int(x));  // [0, 1]
    const std::int32_t quarter = floor_int(4 * fraction + 0.5f);
    const float a = (fraction - 0.25f * static_cast<float>(quarter)) * 6.28318531f, b = a * a;  // |a| <= pi / 4
    const float s = a * (1 - b * (0.166666667f - b * (0.00833333333f - b * 0.000198412698f)));
    const float c = 1 - b * (0.5f - b * (0.0416666667f - b * (0.00138888889f - b * 0.0000248015873f)));
    const bool odd = quarter & 1;
    const float magnitude_c = odd ? s : c, magnitude_s = odd ? c : s;
    cosine = ((quarter + 1) & 2) ? -magnitude_c : magnitude_c;
    sine = (quarter & 2) ? -magnitude_s : magnitude_s;
}

// Where echoes [from, from + count) begin and what the tables say there. Those beyond the samples reach no line.
void look_up(const BeamGrid& grid, const Echoes& echoes, const SplatPlan& plan, std::int64_t from, int count,
             Block& b) {
    const auto per_sample = static_cast<float>(1 / grid.sample_step);
    const auto samples = static_cast<std::int32_t>(grid.samples);
    const float lowest = -half_taps, highest = static_cast<float>(samples + half_taps - 2);
    for (int n = 0; n < count; ++n) {
        const float depth = echoes.depth[from + n], at = depth * per_sample;
        const bool reaches = at >= lowest && at <= highest;
        const std::int32_t whole = reaches ? floor_int(at) : 0;
        const auto phase =
            reaches ? static_cast<std::int32_t>((at - static_cast<float>(whole)) * tap_phases + 0.5f) : 0;
        const std::int32_t carry = phase == tap_phases;  // a fraction that rounds up to a whole sample
        b.taps[n] = (carry ? 0 : phase) * static_cast<std::int32_t>(pulse_taps);
        b.place[n] = whole + carry + static_cast<std::int32_t>(pulse_taps) - (half_taps - 1);
        const std::int32_t row = whole < 0 ? 0 : whole >= samples ? samples - 1 : whole;
        b.depth[n] = reaches ? depth : 0;
        b.reach[n] = reaches ? plan.lateral_reach[row] : -1;
        b.rate[n] = plan.lateral_rate[row];
        b.elevation_rate[n] = plan.elevation_rate[row];
        b.gain[n] = grid.gain[row];
    }
}

// Lines, weights and phase of echoes [from, from + count).
void weigh(const BeamGrid& grid, const Echoes& echoes, std::int64_t from, int count, Block& b) {
    const auto per_line = static_cast<float>(1 / grid.line_step), first_line = static_cast<float>(grid.first_line);
    const auto cycles = static_cast<float>(grid.cycles_per_mm);
    const auto last_line = static_cast<float>(grid.lines - 1);
    const float* lateral = echoes.lateral + from;
    const float* elevation = echoes.elevation + from;
    const float* amplitude = echoes.amplitude + from;
    for (int n = 0; n < count; ++n) {
        float line = (lateral[n] - first_line) * per_line;
        line = line > -1e6f ? line : -1e6f;
        line = line < 1e6f ? line : 1e6f;
        float low = line - b.reach[n], high = line + b.reach[n];
        low = low > 0 ? low : 0;
        high = high < last_line ? high : last_line;
        const std::int32_t first = -floor_int(-low);
        b.first[n] = first;
        b.last[n] = floor_int(high);
        // exp(-rate (l - line)^2) from line to line: weight *= ratio, ratio *= square.
        const float away = static_cast<float>(first) - line, rate = b.rate[n];
        b.weight[n] = exp_minus(rate * away * away);
        b.ratio[n] = exp_minus(rate * (2 * away + 1));
        b.square[n] = exp_minus(2 * rate);
        const float size = amplitude[n] * b.gain[n] * exp_minus(b.elevation_rate[n] * elevation[n] * elevation[n]);
        float cosine, sine;
        turn(b.depth[n] * cycles, cosine, sine);
        b.re[n] = size * cosine;
        b.im[n] = -size * sine;
    }
}

inline void add(float* row, const Eight& low, const Eight& high, float factor) {
    auto* a = reinterpret_cast<Eight*>(row);
    auto* b = reinterpret_cast<Eight*>(row + 8);
    *a += low * factor;
    *b += high * factor;
}

void splat(const BeamGrid& grid, const Echoes& echoes, const SplatPlan& plan) {
    Block b;
    for (std::int64_t from = 0; from < echoes.count; from += block) {
        const int count = static_cast<int>(echoes.count - from < block ? echoes.count - from : block);
        look_up(grid, echoes, plan, from, count, b);
        weigh(grid, echoes, from, count, b);
        for (int n = 0; n < count; ++n) {
            const float* taps = plan.taps + b.taps[n];
            const Eight low = *reinterpret_cast<const Eight*>(taps);
            const Eight high = *reinterpret_cast<const Eight*>(taps + 8);
            float weight = b.weight[n], ratio = b.ratio[n];
            float* row = plan.sums + 2 * plan.stride * b.first[n] + b.place[n];
            for (std::int32_t line = b.first[n]; line <= b.last[n]; ++line) {
                add(row, low, high, b.re[n] * weight);
                add(row + plan.stride, low, high, b.im[n] * weight);
                weight *= ratio;
                ratio *= b.square[n];
                row += 2 * plan.stride;
            }
        }
    }
}

}  // namespace

namespace USFAST_LEVEL {
extern const SplatTable splat_kernels;
const SplatTable splat_kernels{splat};
}  // namespace USFAST_LEVEL

}  // namespace usfast
