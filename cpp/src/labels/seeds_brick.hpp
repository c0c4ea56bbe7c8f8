// The search for cheapest paths within one brick of a volume, from what its neighbours and seeds offer.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "seeds_queue.hpp"
#include "usfast/seeds.hpp"

namespace usfast {

// A brick and one voxel of its surroundings on every side fill a block of 32^3, so that places are shifts and no
// neighbour needs a check of bounds.
constexpr std::int64_t brick_side = 30;
constexpr std::uint32_t row_step = 32, slab_step = 32 * 32, block_voxels = 32 * 32 * 32;

struct Neighbour {
    std::int32_t offset;  // of the place in the block
    std::uint32_t step;   // own cost of the step
};

inline std::vector<Neighbour> neighbours_of(const GrowOptions& o) {
    std::vector<Neighbour> found;
    for (int z = -1; z <= 1; ++z)
        for (int y = -1; y <= 1; ++y)
            for (int x = -1; x <= 1; ++x) {
                const int axes = (z != 0) + (y != 0) + (x != 0);
                if (axes == 0 || (axes > 1 && !o.diagonals)) continue;
                const double length = std::sqrt((z ? o.step[0] * o.step[0] : 0) + (y ? o.step[1] * o.step[1] : 0) +
                                                (x ? o.step[2] * o.step[2] : 0));
                found.push_back({z * static_cast<int>(slab_step) + y * static_cast<int>(row_step) + x,
                                 static_cast<std::uint32_t>(std::lround(length))});
            }
    return found;
}

struct Block {
    std::vector<std::uint32_t> cost = std::vector<std::uint32_t>(block_voxels);
    std::vector<std::uint16_t> level = std::vector<std::uint16_t>(block_voxels);
    std::vector<std::uint8_t> label = std::vector<std::uint8_t>(block_voxels);
    // 1: may take another label; 0: seed, off the mask or of another brick. Those offer what they have, if anything.
    std::vector<std::uint8_t> open = std::vector<std::uint8_t>(block_voxels);
    CostQueue queue;

    // Offers `to` the path through `from`; queues it where that is cheaper, or as cheap and from a smaller seed.
    void offer(std::uint32_t from, std::uint32_t to, std::uint32_t step) {
        if (!open[to]) return;
        const std::uint32_t a = level[from], b = level[to], more = (a > b ? a - b : b - a) + step;
        // Saturate one below `unreached`: whatever costs that much is all the same.
        const std::uint32_t sum = cost[from] < unreached - 1 - more ? cost[from] + more : unreached - 1;
        if (sum > cost[to] || (sum == cost[to] && label[from] >= label[to])) return;
        cost[to] = sum;
        label[to] = label[from];
        queue.push(sum, to);
    }

    // Takes offers from the surroundings, in the shell of the block's interior.
    void pull(const std::vector<Neighbour>& neighbours) {
        for (std::uint32_t z = 1; z <= brick_side; ++z)
            for (std::uint32_t y = 1; y <= brick_side; ++y) {
                const bool face = z == 1 || z == brick_side || y == 1 || y == brick_side;
                for (std::uint32_t x = 1; x <= brick_side; x += face ? 1 : brick_side - 1) {
                    const std::uint32_t to = z * slab_step + y * row_step + x;
                    if (!open[to]) continue;
                    for (const Neighbour& n : neighbours) {
                        const auto from = static_cast<std::uint32_t>(static_cast<std::int32_t>(to) + n.offset);
                        if (!open[from] && cost[from] != unreached) offer(from, to, n.step);
                    }
                }
            }
    }

    // Dijkstra's search through the brick from all that is queued.
    void search(const std::vector<Neighbour>& neighbours) {
        CostQueue::Entry entry{};
        while (queue.pop(entry, [&](const CostQueue::Entry& e) { return cost[e.place] == e.cost; }))
            for (const Neighbour& n : neighbours)
                offer(entry.place, static_cast<std::uint32_t>(static_cast<std::int32_t>(entry.place) + n.offset),
                      n.step);
    }
};

}  // namespace usfast
