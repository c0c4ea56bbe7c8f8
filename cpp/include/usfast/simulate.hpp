// B-mode simulation: the scatterers of the tissue around an image plane, and what a probe receives from them.
//
// Beam space is where the probe measures: lines of sight across (mm on the face of a linear probe, radians of a convex
// one) and depth along each line (mm from the face). Probe space is Cartesian, mm: x lateral, y along the middle line
// into the tissue, z elevational.
#pragma once

#include <complex>
#include <cstdint>
#include <vector>

namespace usfast {

// The part of beam space that can reach the image. Rows of the tables lie `step` apart in depth, from `first_depth`.
struct BeamRegion {
    double radius;                 // of a convex face, mm; 0: linear
    double first_depth, step;      // mm
    std::int64_t rows;             // of the tables
    const float* lateral_limit;    // largest |lateral| of interest, mm or rad
    const float* elevation_limit;  // largest |elevation| of interest, mm
};

struct Scatterers {
    std::vector<float> world;                                 // x, y, z of each, mm
    std::vector<float> lateral, depth, elevation, amplitude;  // beam space; +1 or -1
};

// Every scatterer of the region. World space is divided into cubes of side `pitch`; each holds one scatterer, whose
// place and amplitude are a hash of `seed` and the cube's indices: the same tissue answers at any pose. Amplitudes are
// +1 or -1. `probe_to_world` is 3 x 4, row-major and rigid. Time grows with the region's
// volume / pitch^3, memory with the number found (28 bytes each).
Scatterers find_scatterers(const BeamRegion& region, const double* probe_to_world, double pitch, std::uint64_t seed);

// Lines x samples that echoes are summed in. Widths are given for each sample of depth.
struct BeamGrid {
    std::int64_t lines, samples;
    double first_line, line_step;    // lateral, mm or rad
    double sample_step;              // mm; sample 0 lies on the face
    double pulse_sigma;              // of the pulse's envelope along depth, mm
    double cycles_per_mm;            // 2 f / c: phase of an echo against its depth
    double cutoff;                   // sigmas after which the point-spread function ends laterally
    const float* lateral_sigma;      // (samples,) in lines
    const float* elevational_sigma;  // (samples,) mm
    const float* gain;               // (samples,)
};

struct Echoes {
    const float* lateral;
    const float* depth;
    const float* elevation;
    const float* amplitude;
    std::int64_t count;
};

// Taps of the axial pulse; a pulse_sigma of up to (pulse_taps - 1) / 6 samples is held to 3 sigma.
inline constexpr std::int64_t pulse_taps = 16;

// Demodulated sums: out[line, sample] = sum of gain amplitude w_e w_l w_a exp(-2 pi i cycles_per_mm depth) with
// Gaussian weights of elevation, lateral and axial distance. Sums in float32, in the order of the echoes.
void sum_echoes(const BeamGrid& grid, const Echoes& echoes, std::complex<float>* out);

// Envelope at pixels: `place` (pixels, 2) holds line and sample of each, continuous; outside the grid gives 0. Speckle
// is interpolated as complex numbers, which keeps its statistics; interfaces (may be null) by their magnitude, with the
// nearest line's phase, because an interface that runs obliquely turns the phase by more than half a cycle from line to
// line.
void scan_convert(const std::complex<float>* speckle, const std::complex<float>* interfaces, std::int64_t lines,
                  std::int64_t samples, const float* place, std::int64_t pixels, float* envelope);

}  // namespace usfast
