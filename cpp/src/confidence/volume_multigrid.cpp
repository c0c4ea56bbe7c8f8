#include "volume_multigrid.hpp"

#include <algorithm>

#include "usfast/parallel.hpp"

namespace usfast {
namespace {

constexpr int passes = 3;                  // pairs, pairs of pairs, pairs of those
constexpr std::int64_t small_graph = 400;  // nodes that are solved for directly
constexpr std::int64_t few_nodes = 50000;  // not worth a second thread
constexpr double shrink = 0.8;             // of the work from level to level
constexpr double enough = 0.25;            // of the residual is left: no second coarse step

// Relaxation is that of Gauss and Seidel within slabs and that of Jacobi between them, so that threads need not wait
// for each other. With rows that sum to their excess it shrinks the energy of any error, however the slabs lie.
constexpr std::int64_t slab_planes = 8, slab_nodes = 1 << 17;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// Sum of w x_q over the edges [e, end). Four sums, so that additions need not wait for each other.
inline float weighted(const Graph& g, const float* x, std::int64_t e, std::int64_t end) {
    const std::int32_t* node = g.node.data();
    const float* weight = g.weight.data();
    float sum[4] = {};
    for (; e + 4 <= end; e += 4)
        for (int j = 0; j < 4; ++j) sum[j] += weight[e + j] * x[node[e + j]];
    for (; e < end; ++e) sum[0] += weight[e] * x[node[e]];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

// Row p of A x, as a sum of differences.
inline float row(const Graph& g, const float* x, std::int64_t p) {
    const std::int32_t* node = g.node.data();
    const float* weight = g.weight.data();
    const std::int64_t end = g.first[index(p) + 1];
    const float here = x[p];
    float sum[4] = {};
    std::int64_t e = g.first[index(p)];
    for (; e + 4 <= end; e += 4)
        for (int j = 0; j < 4; ++j) sum[j] += weight[e + j] * (here - x[node[e + j]]);
    for (; e < end; ++e) sum[0] += weight[e] * (here - x[node[e]]);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]) + g.excess[index(p)] * here;
}

}  // namespace

void Multigrid::chunks(std::int64_t nodes,
                       const std::function<void(std::int64_t, std::int64_t, std::int64_t)>& body) const {
    const std::int64_t tasks = (nodes + chunk_nodes - 1) / chunk_nodes;
    parallel_for(tasks, nodes < few_nodes ? 1 : threads_,
                 [&](std::int64_t t, int) { body(t * chunk_nodes, std::min(nodes, (t + 1) * chunk_nodes), t); });
}

double Multigrid::dot(const std::vector<float>& a, const std::vector<float>& b) {
    const auto nodes = static_cast<std::int64_t>(a.size());
    parts_.assign(index(nodes / chunk_nodes + 1), 0);
    chunks(nodes, [&](std::int64_t from, std::int64_t to, std::int64_t part) {
        double sum[4] = {};
        std::int64_t i = from;
        for (; i + 4 <= to; i += 4)
            for (int j = 0; j < 4; ++j) sum[j] += double{a[index(i + j)]} * double{b[index(i + j)]};
        for (; i < to; ++i) sum[0] += double{a[index(i)]} * double{b[index(i)]};
        parts_[index(part)] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    });
    double all = 0;
    for (const double part : parts_) all += part;
    return all;
}

// Where the edges of a node to its own slab begin, to later nodes, and to later slabs.
void Multigrid::order_edges(Level& level) const {
    const Graph& g = level.graph;
    level.edges.resize(index(g.nodes()));
    chunks(g.nodes(), [&](std::int64_t from, std::int64_t to, std::int64_t) {
        for (std::int64_t p = from; p < to; ++p) {
            const auto begin = g.node.begin() + g.first[index(p)], end = g.node.begin() + g.first[index(p) + 1];
            const auto place = [&](std::int64_t q) { return std::lower_bound(begin, end, q) - g.node.begin(); };
            level.edges[index(p)] = {place(from), place(p), place(to)};
        }
    });
}

// x: what relaxation makes of zero, node after node; r: what is left of b.
void Multigrid::sweep_down(const Level& level, const float* b, float* x, float* r) const {
    const Graph& g = level.graph;
    chunks(g.nodes(), [&](std::int64_t from, std::int64_t to, std::int64_t) {
        for (std::int64_t p = from; p < to; ++p) {
            const Edges& e = level.edges[index(p)];
            x[p] = g.inverse[index(p)] * (b[p] + weighted(g, x, e.own, e.later));
        }
    });
    chunks(g.nodes(), [&](std::int64_t from, std::int64_t to, std::int64_t) {
        for (std::int64_t p = from; p < to; ++p) {
            const Edges& e = level.edges[index(p)];
            r[p] = weighted(g, x, g.first[index(p)], e.own) + weighted(g, x, e.later, g.first[index(p) + 1]);
        }
    });
}

// The same in the opposite order, from `old`.
void Multigrid::sweep_up(const Level& level, const float* b, const float* old, float* x) const {
    const Graph& g = level.graph;
    chunks(g.nodes(), [&](std::int64_t from, std::int64_t to, std::int64_t) {
        for (std::int64_t p = to - 1; p >= from; --p) {
            const Edges& e = level.edges[index(p)];
            const float before = weighted(g, old, g.first[index(p)], e.later);
            const float after = weighted(g, x, e.later, e.foreign),
                        beyond = weighted(g, old, e.foreign, g.first[index(p) + 1]);
            x[p] = g.inverse[index(p)] * (b[p] + (before + after + beyond));
        }
    });
}

bool Multigrid::build(const Lattice& finest, int threads, const Poll& go_on) {
    lattice_ = &finest;
    threads_ = threads;
    levels_.push_back(std::make_unique<Level>());
    if (!coarsen(finest, passes, grouping_, levels_.back()->graph, threads, go_on)) return false;
    while (levels_.back()->graph.nodes() > small_graph) {
        Level& fine = *levels_.back();
        auto next = std::make_unique<Level>();
        if (!coarsen(fine.graph, passes, fine.grouping, next->graph, threads, go_on)) return false;
        if (next->graph.nodes() == 0 || 4 * next->graph.nodes() > 3 * fine.graph.nodes()) {
            fine.grouping = Grouping{};
            break;
        }
        levels_.push_back(std::move(next));
    }
    // Two steps a visit wherever that still lets the work shrink from level to level.
    double visits = 1, budget = 1;
    for (auto& level : levels_) {
        budget *= shrink;
        const double work = visits * static_cast<double>(level->graph.node.size()) /
                            static_cast<double>(2 * lattice_edges * finest.nodes);
        level->twice = 2 * work <= budget;
        if (level->twice) visits *= 2;
    }
    for (auto& level : levels_) order_edges(*level);
    direct_ = levels_.back()->graph.nodes() <= small_graph;
    if (direct_) direct_factor(levels_.back()->graph);
    for (auto& level : levels_)
        for (auto* v : {&level->right, &level->x, &level->other, &level->rest, &level->first, &level->first_image,
                        &level->second, &level->second_image})
            v->assign(index(level->graph.nodes()), 0);
    other_.assign(index(finest.nodes + 2 * finest.margin), 0);
    return true;
}

// Elimination without subtractions, see kernel.hpp: row k of the factor holds the couplings of node k to later ones.
void Multigrid::direct_factor(const Graph& g) {
    const std::int64_t n = g.nodes();
    factor_.assign(index(n * n), 0);
    pivot_.assign(index(n), 1);
    dense_.assign(index(n), 0);
    std::vector<double> excess(g.excess.begin(), g.excess.end());
    for (std::int64_t p = 0; p < n; ++p)
        for (std::int64_t e = g.first[index(p)]; e < g.first[index(p) + 1]; ++e)
            if (g.node[index(e)] > p) factor_[index(p * n + g.node[index(e)])] = double{g.weight[index(e)]};
    for (std::int64_t k = 0; k < n; ++k) {
        double* f = factor_.data() + k * n;
        double sum = excess[index(k)];
        for (std::int64_t j = k + 1; j < n; ++j) sum += f[j];
        if (sum <= 0) continue;  // a node by itself: its right-hand side is 0
        pivot_[index(k)] = sum;
        for (std::int64_t i = k + 1; i < n; ++i) {
            if (f[i] == 0) continue;
            const double share = f[i] / sum;
            excess[index(i)] += share * excess[index(k)];
            double* other = factor_.data() + i * n;
            for (std::int64_t j = i + 1; j < n; ++j) other[j] += share * f[j];
        }
    }
}

void Multigrid::direct_solve(const float* b, float* x) {
    const auto n = static_cast<std::int64_t>(pivot_.size());
    for (std::int64_t i = 0; i < n; ++i) dense_[index(i)] = double{b[i]};
    for (std::int64_t k = 0; k < n; ++k) {
        const double* f = factor_.data() + k * n;
        const double share = dense_[index(k)] / pivot_[index(k)];
        for (std::int64_t i = k + 1; i < n; ++i) dense_[index(i)] += f[i] * share;
    }
    for (std::int64_t k = n - 1; k >= 0; --k) {
        const double* f = factor_.data() + k * n;
        double sum = dense_[index(k)];
        for (std::int64_t i = k + 1; i < n; ++i) sum += f[i] * dense_[index(i)];
        dense_[index(k)] = sum / pivot_[index(k)];
        x[k] = static_cast<float>(dense_[index(k)]);
    }
}

// level.x ~ A^-1 level.rest: relaxation, correction by the next level, relaxation.
void Multigrid::relax_and_correct(std::size_t number) {
    Level& level = *levels_[number];
    const bool last = number + 1 == levels_.size();
    if (last && direct_) return direct_solve(level.rest.data(), level.x.data());
    const std::int64_t n = level.graph.nodes();
    const float* b = level.rest.data();
    float *x = level.x.data(), *y = level.other.data();
    sweep_down(level, b, y, x);
    if (!last) {
        Level& next = *levels_[number + 1];
        chunks(next.graph.nodes(), [&](std::int64_t from, std::int64_t to, std::int64_t) {
            for (std::int64_t g = from; g < to; ++g) {
                float sum = 0;
                for (std::int64_t m = level.grouping.first[index(g)]; m < level.grouping.first[index(g) + 1]; ++m)
                    sum += x[level.grouping.members[index(m)]];
                next.right[index(g)] = sum;
            }
        });
        solve_coarse(number + 1);
        for (std::int64_t p = 0; p < n; ++p)
            if (const std::int32_t g = level.grouping.group[index(p)]; g >= 0) y[p] += next.x[index(g)];
    }
    sweep_up(level, b, y, x);
}

// level.x ~ A^-1 level.right: one or two steps of conjugate gradients with this level's own cycle.
void Multigrid::solve_coarse(std::size_t number) {
    Level& level = *levels_[number];
    level.rest = level.right;
    relax_and_correct(number);
    if ((number + 1 == levels_.size() && direct_) || !level.twice) return;
    const std::int64_t n = level.graph.nodes();
    const Graph& g = level.graph;
    const auto image = [&](const std::vector<float>& x, std::vector<float>& y) {
        chunks(n, [&](std::int64_t from, std::int64_t to, std::int64_t) {
            for (std::int64_t p = from; p < to; ++p) y[index(p)] = row(g, x.data(), p);
        });
    };
    level.first = level.x;
    image(level.first, level.first_image);
    const double rho1 = dot(level.first, level.first_image);
    if (!(rho1 > 0)) return;
    const double alpha1 = dot(level.first, level.right);
    const double before = dot(level.right, level.right);
    const auto t = static_cast<float>(alpha1 / rho1);
    for (std::int64_t p = 0; p < n; ++p) level.rest[index(p)] = level.right[index(p)] - t * level.first_image[index(p)];
    if (dot(level.rest, level.rest) <= enough * enough * before) {
        for (std::int64_t p = 0; p < n; ++p) level.x[index(p)] = t * level.first[index(p)];
        return;
    }
    relax_and_correct(number);
    level.second = level.x;
    image(level.second, level.second_image);
    const double gamma = dot(level.second, level.first_image);
    const double rho2 = dot(level.second, level.second_image) - gamma * gamma / rho1;
    const double alpha2 = dot(level.second, level.rest);
    const bool useful = rho2 > 0;
    const auto c1 = static_cast<float>(useful ? (alpha1 - gamma * alpha2 / rho2) / rho1 : alpha1 / rho1);
    const auto c2 = static_cast<float>(useful ? alpha2 / rho2 : 0);
    for (std::int64_t p = 0; p < n; ++p) level.x[index(p)] = c1 * level.first[index(p)] + c2 * level.second[index(p)];
}

void Multigrid::slabs(const std::function<void(std::int64_t, std::int64_t, float*)>& body) const {
    const Lattice& g = *lattice_;
    const std::int64_t rows = g.nodes / g.pitch, slab = std::max(slab_planes * g.plane_rows, slab_nodes / g.pitch);
    parallel_for((rows + slab - 1) / slab, g.nodes < few_nodes ? 1 : threads_, [&](std::int64_t t, int) {
        std::vector<float> scratch(index(2 * g.pitch + 2));
        body(t * slab, std::min(rows, (t + 1) * slab), scratch.data());
    });
}

bool Multigrid::cycle(const float* b, float* x, const Poll& go_on) {
    const Lattice& g = *lattice_;
    const LatticeTable& kernels = lattice_table();
    float* y = other_.data() + g.margin;
    slabs([&](std::int64_t from, std::int64_t to, float* scratch) { kernels.sweep_down(g, b, y, from, to, scratch); });
    if (!go_on()) return false;
    Level& next = *levels_.front();
    if (next.graph.nodes() > 0) {
        slabs([&](std::int64_t from, std::int64_t to, float*) { kernels.rest_after_sweep(g, y, x, from, to); });
        chunks(next.graph.nodes(), [&](std::int64_t from, std::int64_t to, std::int64_t) {
            for (std::int64_t c = from; c < to; ++c) {
                float sum = 0;
                for (std::int64_t m = grouping_.first[index(c)]; m < grouping_.first[index(c) + 1]; ++m)
                    sum += x[grouping_.members[index(m)]];
                next.right[index(c)] = sum;
            }
        });
        solve_coarse(0);
        chunks(g.nodes, [&](std::int64_t from, std::int64_t to, std::int64_t) {
            for (std::int64_t p = from; p < to; ++p)
                if (const std::int32_t c = grouping_.group[index(p)]; c >= 0) y[p] += next.x[index(c)];
        });
        if (!go_on()) return false;
    }
    slabs([&](std::int64_t from, std::int64_t to, float* scratch) { kernels.sweep_up(g, b, y, x, from, to, scratch); });
    return go_on();
}

}  // namespace usfast
