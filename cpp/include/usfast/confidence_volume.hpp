// Confidence maps of volumes: random walks on the graph of 26-neighbours, solved iteratively.
#pragma once

#include <cstdint>

#include "usfast/confidence.hpp"
#include "usfast/parallel.hpp"

namespace usfast {

struct ConfidenceVolumeOptions {
    double beta, gamma;
    double tolerance;  // largest absolute error of the map, from 1e-8
    int axis;          // along the beam, of (Z, Y, X)
    int most_iterations;
    int threads;
};

enum class ConfidenceEnd { converged, stopped, stalled };

struct ConfidenceVolumeResult {
    ConfidenceEnd end;
    int iterations;
    double error;  // estimate of the largest absolute error
};

// shape: (Z, Y, X). attenuated: normalised intensity times 1 - exp(-alpha depth); state: Pixel. Both (Z, Y, X), as is
// out. Voxels that are outside, or from which no path leads to a source or a sink, get 0. The result has the same bits
// for any number of threads. `progress` is called with what is done in percent.
// Time: some 15 to 30 iterations of 300 bytes of memory traffic a voxel; memory: confidence_volume_bytes.
ConfidenceVolumeResult confidence_volume(const std::int64_t shape[3], const double* attenuated,
                                         const std::uint8_t* state, const ConfidenceVolumeOptions& options, double* out,
                                         const Progress& progress = {});

// Bytes of working memory, about, beside the arguments and the result.
double confidence_volume_bytes(const std::int64_t shape[3]);

}  // namespace usfast
