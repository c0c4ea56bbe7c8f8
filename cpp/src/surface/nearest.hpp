// From every surface element of one structure to the nearest of another.
#pragma once

#include <functional>

#include "bits.hpp"
#include "tally.hpp"

namespace usfast {

// What an element at (z, y, x) weighs.
using Weigh = std::function<double(std::int64_t z, std::int64_t y, std::int64_t x)>;

// Both volumes have one shape; `weigh` empty: each element counts 1. A target without a bit is infinitely far.
DistanceTable nearest_distances(const BitVolume& from, const BitVolume& to, const SurfaceOptions& options,
                                const Weigh& weigh, const Progress& progress);

}  // namespace usfast
