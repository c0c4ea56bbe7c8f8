// Coarse graphs: voxels that cling together become one node. The coupling of two nodes is the sum of their voxels'
// couplings, and so is the excess, so nothing is ever subtracted.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "volume_kernel.hpp"

namespace usfast {

using Poll = std::function<bool()>;  // false: stop

// A graph in compressed rows.
struct Graph {
    std::vector<std::int64_t> first;  // (nodes + 1)
    std::vector<std::int32_t> node;
    std::vector<float> weight, excess, inverse;
    std::int64_t nodes() const { return static_cast<std::int64_t>(excess.size()); }
};

// Which node of the coarse graph a fine one belongs to, -1 for none, and the other way round.
struct Grouping {
    std::vector<std::int32_t> group;
    std::vector<std::int32_t> members;
    std::vector<std::int64_t> first;  // (groups + 1) into members
    std::int64_t groups() const { return static_cast<std::int64_t>(first.size()) - 1; }
};

// Pairs of pairs of pairs, `passes` deep, each of two groups that are strongly coupled. False: stopped.
bool coarsen(const Lattice& fine, int passes, Grouping& grouping, Graph& coarse, int threads, const Poll& go_on);
bool coarsen(const Graph& fine, int passes, Grouping& grouping, Graph& coarse, int threads, const Poll& go_on);

}  // namespace usfast
