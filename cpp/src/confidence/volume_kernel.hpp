// The inner loops over the voxels of a lattice with 26 neighbours, compiled once for each instruction set level. All
// run over flat indices: between rows and between planes lies one voxel of no weight, so that no loop asks for borders.
// Sums are taken in one order only, whatever the level and the number of threads.
#pragma once

#include <cstdint>

namespace usfast {

constexpr int lattice_edges = 13;  // of a voxel to those that come after it

struct Lattice {
    std::int64_t nodes, margin;      // margin: how far beyond both ends of a vector an offset may lead
    std::int64_t pitch, plane_rows;  // nodes of a row, rows of a plane, with those of no weight
    std::int64_t offset[lattice_edges];
    float* weight[lattice_edges];  // weight[k][p]: between p and p + offset[k]; the margins hold zeros
    float* excess;                 // coupling to voxels of known value
    float* inverse;                // 1 / sum of all couplings; 0 where the value is not sought
};

struct LatticeTable {
    // Excess, coupling to sources and inverse from raw weights, in [from, to). known, source: 1 or 0, with margins.
    void (*gather_known)(const Lattice&, const float* known, const float* source, double* right, std::int64_t from,
                         std::int64_t to);
    // Weights of edges between two sought voxels stay, others become 0.
    void (*keep_sought)(const Lattice&, const float* sought, std::int64_t from, std::int64_t to);
    void (*invert)(const Lattice&, const float* sought, std::int64_t from, std::int64_t to);
    // y = A x, returns the part of x'y.
    double (*apply)(const Lattice&, const double* x, double* y, std::int64_t from, std::int64_t to);
    // Relaxation of Gauss and Seidel over the rows [from, to), as if x were `old` elsewhere: down the rows, from zero;
    // what is left of the right-hand side after that; up the rows, in the opposite order. scratch: 2 pitch + 2.
    void (*sweep_down)(const Lattice&, const float* b, float* x, std::int64_t from, std::int64_t to, float* scratch);
    void (*rest_after_sweep)(const Lattice&, const float* x, float* r, std::int64_t from, std::int64_t to);
    void (*sweep_up)(const Lattice&, const float* b, const float* old, float* x, std::int64_t from, std::int64_t to,
                     float* scratch);
};

const LatticeTable& lattice_table();  // of the best level that this machine runs

}  // namespace usfast
