// How two label volumes agree, label by label.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "usfast/surface.hpp"

namespace usfast {

struct LabelPair {
    std::int64_t a, b;   // labels in the first and in the second volume
    std::int64_t count;  // voxels that carry both
    Index3 begin, end;   // the box that holds them
};

// One pass over both volumes: every pair of labels that occurs, ordered by a, then b.
template <typename A, typename B>
std::vector<LabelPair> confusion(const A* a, const B* b, const Index3& shape, int threads,
                                 const Progress& progress = {});

}  // namespace usfast
