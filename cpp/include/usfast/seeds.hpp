// Labels grown from seeds through an image.
#pragma once

#include <array>
#include <cstdint>

#include "usfast/parallel.hpp"

namespace usfast {

struct GrowOptions {
    std::array<std::int64_t, 3> shape{};  // z, y, x
    double low = 0, scale = 1;            // grey level of a voxel: round((value - low) * scale), within 16 bits
    // Cost of a step by itself, whatever the image, to a neighbour along z, y, x, in grey levels. A diagonal step costs
    // the length of the diagonal.
    std::array<double, 3> step{};
    bool diagonals = true;  // 26 neighbours; else 6
    int threads = 1;
};

constexpr std::uint32_t unreached = 0xffffffffu;

// Gives every voxel the seed (1 to 255) that the cheapest path leads to, where a step between neighbours costs the
// difference of their grey levels plus the step's own cost; of equally cheap seeds the smallest. Paths keep to the mask
// (not 0; null for everywhere) and do not run through other seeds; seeds off the mask count for nothing. `label` is 0
// and `cost` is `unreached` where no path leads. Costs are whole numbers and stop growing below `unreached`.
// The result is the one that Dijkstra's search finds, whatever the number of threads. About O(voxels * neighbours);
// memory beside the arguments: 0.3 MB a thread and its queue. Returns false where stopped. Pixel: uint8, uint16, float.
template <typename Pixel>
bool grow_from_seeds(const Pixel* image, const std::uint8_t* seeds, const std::uint8_t* mask,
                     const GrowOptions& options, std::uint8_t* label, std::uint32_t* cost,
                     const Progress& progress = {});

}  // namespace usfast
