// What is kept for a voxel while pixels are added: sums that a kernel writes and that become a value and a weight.
#pragma once

#include "usfast/compound.hpp"

namespace usfast {

// Bytes of one cell. Mean with linear or Gaussian weights: float (sum of weighted values, sum of weights). Statistics:
// double (sum of weighted values, sum of weights, sum of weighted squares, hits). Votes: `classes` double sums.
// Otherwise: double (sum of weighted values, or value; sum of weights). A cell of zero bytes is empty. The format
// depends on the options alone, never on the number of pixels.
std::int64_t cell_bytes(const CompoundOptions& options, Dtype dtype);

// `count` cells side by side become values (float, or uint8 class indices for votes) and weights, if these are wanted.
void write_cells(const void* cells, std::int64_t count, const CompoundOptions& options, Dtype dtype, void* volume,
                 float* weight);

// The same for packed cells (ScatterTable::scatter_packed); and the further results of cells with statistics.
void write_packed(const std::uint32_t* cells, std::int64_t count, float* volume, float* weight);
void write_statistics(const double* cells, std::int64_t count, float* variance, std::uint32_t* hits);

}  // namespace usfast
