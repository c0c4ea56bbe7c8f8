// Delay-and-sum beamforming: the signals of the elements of a transducer become an image.
#pragma once

#include <cstdint>

#include "usfast/parallel.hpp"

namespace usfast {

enum class Interpolation { nearest, linear, cubic };
enum class Window { boxcar, hann, hamming, tukey };
enum class Wave { plane, source, elements };

// How one transmit event insonifies the medium. The front passes `reference` at time zero.
struct Transmit {
    Wave wave;
    double point[3];       // plane: unit vector along which the wave runs; source: the virtual source, mm
    double reference[3];   // mm; not used by `elements`
    double start;          // time of the first sample, s
    const double* delays;  // elements: when each one fires, s; NaN = silent
};

// Channel data (transmits, elements, samples), C order.
struct Channels {
    const float* data;
    bool complex;  // pairs (in phase, quadrature)
    std::int64_t transmits, elements, samples;
};

struct BeamformOptions {
    Interpolation interpolation = Interpolation::linear;
    Window window = Window::boxcar;
    double taper = 0.5;                 // tukey: share of the aperture over which the weight falls
    double f_number = 0;                // depth over width of the receiving aperture; 0 = every element
    double speed = 1.54e6;              // mm/s
    double sampling_frequency = 0;      // Hz
    double demodulation_frequency = 0;  // Hz; complex data only
    bool compound = true;               // sum over the transmits
    int threads = 1;
};

// Fraction bits of the delays in samples, or a negative number where record and array are too long for 12 of them.
int delay_bits(const Channels& channels, const double* positions, const BeamformOptions& options);

// Writes the beamformed value of every point, (points) or, without compounding, (transmits, points); complex for
// complex channels. `positions` and `normals` (elements, 3), `points` (points, 3), mm; `weights` (transmits, points) of
// the transmits in each point, may be null. `behind` becomes the number of points that lie more than 0.02 mm behind all
// elements. The way to the middle of the array is computed in double, the elements' differences from it in float, to
// some 1e-7 of the array's size; sums run in float over the elements, then the
// transmits, so the bits depend neither on the threads nor on the instruction set. Time O(points * elements *
// transmits); memory 16 bytes an element and pixel of a block, for each thread. Returns false where stopped.
bool delay_and_sum(const Channels& channels, const double* positions, const double* normals, const Transmit* transmits,
                   const double* points, std::int64_t count, const float* weights, const BeamformOptions& options,
                   float* out, std::int64_t* behind, const Progress& progress = {});

}  // namespace usfast
