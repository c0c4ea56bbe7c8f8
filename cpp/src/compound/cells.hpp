// What is kept for a voxel while pixels are added: sums that a kernel writes and that become a value and a weight.
#pragma once

#include "usfast/compound.hpp"

namespace usfast {

// Bytes of one cell: (sum of weighted values, sum of weights), (value, weight), or `classes` sums of votes. A cell of
// zero bytes is empty. The format depends on the kind of pixels and the options alone, never on their number.
std::int64_t cell_bytes(const CompoundOptions& options, Dtype dtype);

// `count` cells side by side become values (float, or uint8 class indices for votes) and weights.
void write_cells(const void* cells, std::int64_t count, const CompoundOptions& options, Dtype dtype, void* volume,
                 float* weight);

}  // namespace usfast
