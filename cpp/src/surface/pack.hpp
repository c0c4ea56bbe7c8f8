// From masks to bits: one pass over the bytes, the only one that a measurement makes.
#pragma once

#include "bits.hpp"

namespace usfast {

struct Box {
    std::int64_t z0, z1, y0, y1, x0, x1;  // half open
    bool empty() const { return z0 >= z1; }
};

template <typename T>
BitVolume pack(const MaskView<T>& mask, std::int64_t label, int threads);

// The smallest box that holds every bit of both volumes; x0 is a multiple of 64.
Box common_box(const BitVolume& a, const BitVolume& b, int threads);

}  // namespace usfast
