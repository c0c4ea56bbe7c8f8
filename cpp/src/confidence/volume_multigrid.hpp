// One cycle of multigrid over aggregated graphs, as preconditioner: Y. Notay, "An aggregation-based algebraic multigrid
// method", Electron. Trans. Numer. Anal. 37 (2010), with Chebyshev polynomials for relaxation.
#pragma once

#include <memory>
#include <vector>

#include "volume_coarse.hpp"

namespace usfast {

class Multigrid {
  public:
    // False: stopped.
    bool build(const Lattice& finest, int threads, const Poll& go_on);
    // x ~ A^-1 b over the lattice; b and x have margins of zeros.
    bool cycle(const float* b, float* x, const Poll& go_on);

  private:
    struct Level {
        Graph graph;
        Grouping grouping;   // of its nodes into those of the next level
        bool twice = false;  // two steps a visit
        std::vector<float> right, x, other, step, rest, first, first_image, second, second_image;
    };

    void direct_factor(const Graph& graph);
    void direct_solve(const float* b, float* x);
    void relax_and_correct(std::size_t level);
    void solve_coarse(std::size_t level);
    void chunks(std::int64_t nodes, const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& body) const;
    double dot(const std::vector<float>& a, const std::vector<float>& b);
    void smooth(const Level& level, const float* x, const float* b, float c1, float c2, float* d, float* y) const;
    void residual(const Level& level, const float* x, const float* b, float* r) const;

    const Lattice* lattice_ = nullptr;
    Grouping grouping_;  // of voxels
    std::vector<float> step_, other_;
    std::vector<std::unique_ptr<Level>> levels_;
    std::vector<double> factor_, pivot_, dense_;
    std::vector<double> parts_;
    bool direct_ = false;
    int threads_ = 1;
};

// Nodes that one thread takes at a time; sums over them are the parts of a sum over all.
constexpr std::int64_t chunk_nodes = 16384;

}  // namespace usfast
