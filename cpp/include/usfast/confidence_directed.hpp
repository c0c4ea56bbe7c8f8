// Confidence that flows down a directed graph, row by row: Hung, Chen and Galeotti, ISBI 2021.
#pragma once

#include <cstdint>

#include "usfast/parallel.hpp"

namespace usfast {

constexpr int directed_shares = 21;  // parents of a pixel: the columns from -10 to 10 of the row above

struct DirectedOptions {
    const double* spread;  // (directed_shares) what is taken from each parent
    const double* loss;    // (height - 1) exponent of each step at mean gradient
    const double* cap;     // (height) largest confidence of each row, which is returned as a share of it; or null
    double power;          // of the relative gradient
    bool on_edge;          // gradients of the edges themselves, else as the authors' code reads them
    int threads;
};

// images: (count, height, width), each from 0 to 1. needle, artifact: null or of that shape, probabilities. out: of
// that shape. Images are taken in parallel; the result does not depend on threads. Returns false if stopped.
// Time: 21 exponentials a pixel; memory: six rows a thread.
bool directed_maps(const double* images, const double* needle, const double* artifact, std::int64_t count,
                   std::int64_t height, std::int64_t width, const DirectedOptions& options, double* out,
                   const Progress& progress = {});

}  // namespace usfast
