// Confidence maps: the probability that a random walk on the pixels' graph reaches the transducer first.
#pragma once

#include <cstdint>

#include "usfast/parallel.hpp"

namespace usfast {

enum class Pixel : std::uint8_t { unknown = 0, source = 1, sink = 2, outside = 3 };

enum class PixelType { uint8, uint16, float32, float64 };

// Images (count, height, width), C order.
struct ConfidenceImages {
    const void* pixels;
    PixelType type;
    std::int64_t count, height, width;
};

struct ConfidenceOptions {
    double beta;
    double penalty[3];  // of vertical, horizontal and diagonal steps, beside the difference of intensity
    double floor;       // least weight of an edge
    bool normalise;     // to [0, 1] over the pixels that are not outside, before attenuation
    bool single;        // solve in float
    int threads;
};

// state: (height, width) Pixel, or (count, height, width) where per_image; factor: (height, width), what the
// normalised intensity is multiplied with. out: (count, height, width) float where options.single, else double.
// Pixels that are outside, or from which no path leads to a source or a sink, get 0. Returns false if stopped.
// Time: 10 N^1.5 multiply-adds for N pixels; memory: see confidence_bytes.
bool confidence_maps(const ConfidenceImages& images, const std::uint8_t* state, bool per_image, const double* factor,
                     const ConfidenceOptions& options, void* out, const Progress& progress = {});

// Bytes of working memory for one image, without the result.
double confidence_bytes(std::int64_t height, std::int64_t width, bool single);

// Gives back what is kept for the next image of the same size.
void confidence_forget();

}  // namespace usfast
