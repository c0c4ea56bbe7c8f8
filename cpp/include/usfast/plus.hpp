// Volume reconstruction exactly as PLUS/IGSIO computes it, rounding, truncation and all, for comparison with volumes
// made there. Use usfast/compound.hpp for the right answer.
#pragma once

#include <cstdint>
#include <vector>

#include "usfast/compound.hpp"

namespace usfast::plus {

enum class Interpolation { nearest, linear };
enum class Optimization { full, partial, none };  // fixed-point row by row, double row by row, double pixel by pixel
enum class Compounding { latest, maximum, mean, importance };

struct Settings {
    Interpolation interpolation = Interpolation::nearest;
    Optimization optimization = Optimization::full;
    Compounding compounding = Compounding::latest;
    std::int64_t clip[4];  // first column, first row, last column, last row, inclusive
    bool fan = false;
    double fan_origin[2] = {0, 0};  // pixels
    double fan_radius[2] = {0, 0};  // pixels
    bool reject = false;
    double reject_below = 0;  // intensity
    int threads = 1;
};

struct Frames {
    const void* pixels;  // (count, height, width)
    Dtype dtype;
    std::int64_t height, width;
    std::int64_t used;
    const std::int64_t* index;       // (used)
    const double* image_to_voxel;    // (used, 4, 4)
    const double* fan_tangent;       // (used, 2), ascending; read where Settings::fan
    const std::uint8_t* importance;  // (height, width); read where Compounding::importance
};

// Adds the frames in order to `volume` (z, y, x) of the frames' dtype and `accumulation`, both zero before the first
// call. Bit for bit what IGSIO does on one thread. Returns false where stopped.
bool paste(const Frames& frames, const GridSize& size, const Settings& settings, void* volume,
           std::uint16_t* accumulation, const Progress& progress = {});

enum class Filler { stick, gaussian, gaussian_accumulation, inverse_distance, nearest };

struct FillElement {
    Filler type;
    int size = 0;     // all but stick
    float stdev = 0;  // the two Gaussians
    float minimum_known_ratio = 0;
    int stick_limit = 0, sticks = 0;
};

// Fills voxels whose accumulation is 0 by the first element that succeeds; 0 where none does. Marks them in `filled`.
bool fill_holes(const void* volume, const std::uint16_t* accumulation, Dtype dtype, const GridSize& size,
                const std::vector<FillElement>& elements, int threads, void* out, std::uint8_t* filled,
                const Progress& progress = {});

}  // namespace usfast::plus
