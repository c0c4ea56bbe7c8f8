// The inner loop of the echo sum, compiled once for each instruction set level; plain data only.
#pragma once

#include "usfast/simulate.hpp"

namespace usfast {

// Each line is a row of real parts and one of imaginary parts, `stride` floats each, with `pulse_taps` more than the
// samples on either side, so that no pulse needs a test. `taps` (tap_phases, pulse_taps) holds the pulse at fractions
// of a sample.
inline constexpr std::int64_t tap_phases = 256;

struct SplatPlan {
    float* sums;
    std::int64_t stride;
    const float* taps;
    const float* lateral_rate;    // (samples,) 1 / (2 sigma^2), in lines
    const float* lateral_reach;   // (samples,) lines
    const float* elevation_rate;  // (samples,) 1 / (2 sigma^2), mm
};

struct SplatTable {
    void (*splat)(const BeamGrid&, const Echoes&, const SplatPlan&);
};

const SplatTable& splat_table();  // of the best level that this machine runs

}  // namespace usfast
