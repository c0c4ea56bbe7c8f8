// The dissection of one tile, the same for all of them.
#pragma once

#include "kernel.hpp"

namespace usfast {

const TilePlan& tile_plan();

// Calls use(row, column) for the pixels around a tile in their order; the tile's own are 0..14.
template <typename Use>
void tile_ring_pixels(const Use& use) {
    for (int row : {-1, tile_side})
        for (int column = -1; column <= tile_side; ++column) use(row, column);
    for (int column : {-1, tile_side})
        for (int row = 0; row < tile_side; ++row) use(row, column);
}

// Row and column of pixel `number` in a tile's own 15 x 15, packed as 15 row + column.
const std::int16_t* tile_pixels();

}  // namespace usfast
