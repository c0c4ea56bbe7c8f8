// One cycle of multigrid over aggregated graphs, as preconditioner: Y. Notay, "An aggregation-based algebraic multigrid
// method", Electron. Trans. Numer. Anal. 37 (2010).
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
    struct Edges {
        std::int64_t own, later, foreign;
    };
    struct Level {
        Graph graph;
        std::vector<Edges> edges;
        Grouping grouping;   // of its nodes into those of the next level
        bool twice = false;  // two steps a visit
        std::vector<float> right, x, other, rest, first, first_image, second, second_image;
    };

    void direct_factor(const Graph& graph);
    void direct_solve(const float* b, float* x);
    void relax_and_correct(std::size_t level);
    void solve_coarse(std::size_t level);
    void chunks(std::int64_t nodes, const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& body) const;
    double dot(const std::vector<float>& a, const std::vector<float>& b);
    void order_edges(Level& level) const;
    void sweep_down(const Level& level, const float* b, float* x, float* r) const;
    void sweep_up(const Level& level, const float* b, const float* old, float* x) const;
    // body(first row, past the last, scratch for the kernels)
    void slabs(const std::function<void(std::int64_t, std::int64_t, float*)>& body) const;

    const Lattice* lattice_ = nullptr;
    Grouping grouping_;  // of voxels
    std::vector<float> other_;
    std::vector<std::unique_ptr<Level>> levels_;
    std::vector<double> factor_, pivot_, dense_;
    std::vector<double> parts_;
    bool direct_ = false;
    int threads_ = 1;
};

// Nodes that one thread takes at a time; sums over them are the parts of a sum over all.
constexpr std::int64_t chunk_nodes = 16384;

}  // namespace usfast
