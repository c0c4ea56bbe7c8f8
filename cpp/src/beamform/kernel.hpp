// The inner loops of beamforming, compiled once for each instruction set level: plain data only, as in scatter.hpp.
#pragma once

#include "usfast/beamform.hpp"

namespace usfast {

constexpr int beam_lanes = 64;  // points that are beamformed side by side

struct BeamformJob {
    Channels channels;
    const double *positions, *normals;  // (elements, 3), mm
    const Transmit* transmits;
    const double* points;  // (count, 3), mm
    std::int64_t count;
    const float* weights;  // (transmits, count) or null
    BeamformOptions options;
    float* out;
    double centre[3], radius;  // a ball that holds all elements, mm
    int bits;                  // of the fraction of a delay in samples
};

// What the receiving elements do to the points of a block, (elements, beam_lanes) each: the same for all transmits.
struct BeamScratch {
    std::int32_t* delay;  // beyond that from the middle of the array, in samples * 2^bits
    float* weight;        // apodisation, times the cosine of the phase for complex data
    float* sine;          // apodisation times the sine of the phase
    std::uint8_t* used;   // (elements): does any point use it?
};

struct BeamformTable {
    // Beamforms points [first, first + count), count <= beam_lanes; returns how many lie behind all elements.
    int (*block)(const BeamformJob&, std::int64_t first, int count, const BeamScratch&);
};

const BeamformTable& beamform_table();  // of the best level that this machine runs

}  // namespace usfast
