// The inner loops over the voxels of a lattice with 26 neighbours, compiled once for each instruction set level. All
// run over flat indices: between rows and between planes lies one voxel of no weight, so that no loop asks for borders.
// Sums are taken in one order only, whatever the level and the number of threads.
#pragma once

#include <cstdint>

namespace usfast {

constexpr int lattice_edges = 13;  // of a voxel to those that come after it

struct Lattice {
    std::int64_t nodes, margin;  // margin: how far beyond both ends of a vector an offset may lead
    std::int64_t offset[lattice_edges];
    float* weight[lattice_edges];  // weight[k][p]: between p and p + offset[k]; the margins hold zeros
    float* excess;                 // coupling to voxels of known value
    float* inverse;                // 1 / sum of all couplings; 0 where the value is not sought
};

struct LatticeKernels {
    // Excess, coupling to sources and inverse from raw weights, in [from, to). known, source: 1 or 0, with margins.
    void (*gather_known)(const Lattice&, const float* known, const float* source, double* right, std::int64_t from,
                         std::int64_t to);
    // Weights of edges between two sought voxels stay, others become 0.
    void (*keep_sought)(const Lattice&, const float* sought, std::int64_t from, std::int64_t to);
    void (*invert)(const Lattice&, const float* sought, std::int64_t from, std::int64_t to);
    // y = A x, returns the part of x'y.
    double (*apply)(const Lattice&, const double* x, double* y, std::int64_t from, std::int64_t to);
    // r = b - A x
    void (*residual)(const Lattice&, const float* x, const float* b, float* r, std::int64_t from, std::int64_t to);
    // d = c1 d + c2 D^-1 (b - A x); y = x + d
    void (*smooth)(const Lattice&, const float* x, const float* b, float c1, float c2, float* d, float* y,
                   std::int64_t from, std::int64_t to);
};

const LatticeKernels& lattice_kernels();

}  // namespace usfast
