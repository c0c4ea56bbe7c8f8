// The inner loop of the scorer, compiled once for each instruction set level. Plain data only: see scatter.hpp.
#pragma once

#include <cstdint>

namespace usfast {

struct TrackingTable {
    double (*displacement_sum)(const double* matrix, std::int64_t height, std::int64_t width);
};

const TrackingTable& tracking_table();  // of the best level that this machine runs

}  // namespace usfast
