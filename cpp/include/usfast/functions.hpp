// Compounding by functions: a smooth function is fitted to the pixels and read off at the voxels.
#pragma once

#include <cstdint>

#include "usfast/compound.hpp"

namespace usfast {

enum class FunctionMethod { radial_basis, rayleigh, bspline };

struct FunctionOptions {
    FunctionMethod method = FunctionMethod::bspline;
    double spacing[3] = {1, 1, 1};  // mm between voxels, x, y, z
    double reach = 1;               // mm: voxels nearer than this to a pixel get a value
    // radial_basis
    double smoothing = 1;  // mm: the distance over which the function varies as much as one pixel does by noise
    int max_centres = 128;
    // bspline
    int finest = 1;  // spacing of the finest lattice, voxels, a power of two
    // rayleigh
    double compression = 0;     // grey levels for a factor e of amplitude; 0: pixels are amplitudes
    double floor = 1e-3;        // amplitudes below it count as it, where pixels are amplitudes
    double level = 0;           // grey levels (or a factor, for amplitudes) from the root mean square to the mean pixel
    double regularisation = 1;  // pixels that weigh as much as one difference of neighbours does
    int iterations = 50;        // sweeps over each lattice, at most
    double tolerance = 1e-3;    // largest change of the log of the power in a sweep at which to stop
    int threads = 1;
};

// Writes volume (z, y, x) and weight (z, y, x). Pixels of one cell between eight voxels are first averaged into one
// sample, at their mean place. weight is the sum over the samples nearer than `reach` of (pixels in it, by importance)
// * (1 - (distance / reach)^2); where it is 0, so is the value. Pixels around the grid, up to the reach, serve too. The
// bits do not depend on the number of threads. Time O(pixels + samples * voxels in reach) and, beyond that, for
// radial_basis O(patches * centres^3), for bspline O(samples * lattices), for rayleigh O(voxels * sweeps). Memory
// beyond the outputs: 72 bytes a sample, 40 bytes for each voxel of a few planes and thread, and, for each voxel of the
// grid with its margin, 4 bytes (radial_basis), 5 (bspline) or 11 (rayleigh). Throws std::bad_alloc where that is not
// to be had. Returns false where `progress` stopped the work.
bool fit_functions(const FrameStack& frames, const GridSize& size, const FunctionOptions& options, float* volume,
                   float* weight, const Progress& progress = {});

}  // namespace usfast
