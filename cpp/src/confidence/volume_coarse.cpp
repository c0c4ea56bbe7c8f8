#include "volume_coarse.hpp"

#include <algorithm>

#include "usfast/parallel.hpp"

namespace usfast {
namespace {

constexpr float strong = 0.8F;     // of a group's strongest coupling
constexpr float clinging = 0.25F;  // of all its couplings: a group that joins a pair as third
constexpr float worth = 0.08F;     // of all couplings of the voxels of a pair: less does not make pairs of pairs
constexpr float bound = 4;         // excess over couplings of a node that relaxation alone solves

struct LatticeEdges {
    const Lattice& g;
    std::int64_t nodes() const { return g.nodes; }
    bool active(std::int64_t p) const { return g.inverse[p] > 0 && g.excess[p] * g.inverse[p] < bound / (1 + bound); }
    float excess(std::int64_t p) const { return g.excess[p]; }
    template <typename Use>
    void each(std::int64_t p, const Use& use) const {
        for (int k = 0; k < lattice_edges; ++k) {
            const std::int64_t o = g.offset[k];
            if (const float w = g.weight[k][p - o]; w > 0) use(p - o, w);
            if (const float w = g.weight[k][p]; w > 0) use(p + o, w);
        }
    }
};

struct GraphEdges {
    const Graph& g;
    std::int64_t nodes() const { return g.nodes(); }
    bool active(std::int64_t p) const {
        const auto i = static_cast<std::size_t>(p);
        return g.inverse[i] > 0 && g.excess[i] * g.inverse[i] < bound / (1 + bound);
    }
    float excess(std::int64_t p) const { return g.excess[static_cast<std::size_t>(p)]; }
    template <typename Use>
    void each(std::int64_t p, const Use& use) const {
        for (std::int64_t e = g.first[static_cast<std::size_t>(p)]; e < g.first[static_cast<std::size_t>(p) + 1]; ++e)
            use(g.node[static_cast<std::size_t>(e)], g.weight[static_cast<std::size_t>(e)]);
    }
};

// The couplings of one group to others, in the order in which they are met.
class Couplings {
  public:
    explicit Couplings(std::int64_t groups) : place_(static_cast<std::size_t>(groups), -1) {}
    void clear() {
        for (const auto& [group, weight] : found_) place_[static_cast<std::size_t>(group)] = -1;
        found_.clear();
    }
    void add(std::int32_t group, float weight) {
        std::int32_t& place = place_[static_cast<std::size_t>(group)];
        if (place < 0) {
            place = static_cast<std::int32_t>(found_.size());
            found_.push_back({group, 0});
        }
        found_[static_cast<std::size_t>(place)].second += weight;
    }
    std::vector<std::pair<std::int32_t, float>>& found() { return found_; }

  private:
    std::vector<std::int32_t> place_;
    std::vector<std::pair<std::int32_t, float>> found_;
};

template <typename Edges>
class Pairing {
  public:
    explicit Pairing(const Edges& edges, Grouping& grouping)
        : edges_(edges), group_(grouping.group), couplings_(edges.nodes()) {
        const std::int64_t n = edges.nodes();
        group_.assign(static_cast<std::size_t>(n), -1);
        next_.assign(static_cast<std::size_t>(n), -1);
        for (std::int64_t p = 0; p < n; ++p) {
            if (!edges.active(p)) continue;
            group_[static_cast<std::size_t>(p)] = static_cast<std::int32_t>(head_.size());
            head_.push_back(static_cast<std::int32_t>(p));
        }
        tail_ = head_;
    }

    // Groups are numbered anew in the order of their first nodes.
    // number: 0 for the first pass.
    bool pass(int number, const Poll& go_on) {
        const auto count = static_cast<std::int32_t>(head_.size());
        std::vector<std::int32_t> merged(head_.size(), -1), heads, tails;
        heads.reserve(head_.size() / 2), tails.reserve(head_.size() / 2);
        const auto join = [&](std::int32_t from, std::int32_t to) {
            merged[index(from)] = to;
            next_[index(tails[index(to)])] = head_[index(from)];
            tails[index(to)] = tail_[index(from)];
        };
        for (std::int32_t g = 0; g < count; ++g) {
            if (g % 65536 == 0 && !go_on()) return false;
            if (merged[index(g)] >= 0) continue;
            const std::int32_t other = partner(g, merged, number);
            if (other >= 0 && merged[index(other)] >= 0) {  // clings to a pair
                join(g, merged[index(other)]);
                continue;
            }
            merged[index(g)] = static_cast<std::int32_t>(heads.size());
            heads.push_back(head_[index(g)]), tails.push_back(tail_[index(g)]);
            if (other >= 0) join(other, merged[index(g)]);
        }
        for (auto& g : group_)
            if (g >= 0) g = merged[index(g)];
        head_ = std::move(heads), tail_ = std::move(tails);
        return true;
    }

    void list_members(Grouping& grouping) const {
        grouping.first.assign(1, 0);
        grouping.members.clear();
        grouping.members.reserve(group_.size());
        for (const std::int32_t head : head_) {
            for (std::int32_t p = head; p >= 0; p = next_[index(p)]) grouping.members.push_back(p);
            grouping.first.push_back(static_cast<std::int64_t>(grouping.members.size()));
        }
    }

  private:
    static std::size_t index(std::int32_t i) { return static_cast<std::size_t>(i); }

    // The group that g is coupled to most strongly among those that are free; a pair where g clings to it; or -1. Pairs
    // whose voxels cling together far more than the pairs do stay apart: relaxation cannot tell them from one node.
    std::int32_t partner(std::int32_t g, const std::vector<std::int32_t>& merged, int number) {
        float sum = 0;  // of all couplings of the voxels, those among them twice
        float most = 0, most_free = 0;
        std::int32_t best = -1, free = -1;
        const auto compare = [&](std::int32_t other, float w) {
            if (w > most) most = w, best = other;
            if (w > most_free && merged[index(other)] < 0) most_free = w, free = other;
        };
        if (number == 0) {  // every node is a group
            const std::int32_t p = head_[index(g)];
            sum = edges_.excess(p);
            edges_.each(p, [&](std::int64_t q, float w) {
                sum += w;
                if (const std::int32_t other = group_[static_cast<std::size_t>(q)]; other >= 0) compare(other, w);
            });
        } else {
            sum = sum_couplings(g);
            for (const auto& [other, w] : couplings_.found()) compare(other, w);
        }
        if (most_free > 0 && most_free >= strong * most) return number > 0 && most_free < worth * sum ? -1 : free;
        return most > clinging * sum ? best : -1;
    }

    float sum_couplings(std::int32_t g) {
        couplings_.clear();
        float sum = 0;
        for (std::int32_t p = head_[index(g)]; p >= 0; p = next_[index(p)]) {
            sum += edges_.excess(p);
            edges_.each(p, [&](std::int64_t q, float w) {
                const std::int32_t other = group_[static_cast<std::size_t>(q)];
                sum += w;
                if (other >= 0 && other != g) couplings_.add(other, w);
            });
        }
        return sum;
    }

    const Edges& edges_;
    std::vector<std::int32_t>& group_;
    std::vector<std::int32_t> next_, head_, tail_;  // a group's nodes are a list
    Couplings couplings_;
};

// The rows of the coarse graph of some groups, in turn.
template <typename Edges>
void sum_rows(const Edges& edges, const Grouping& grouping, std::int64_t from, std::int64_t to, Couplings& couplings,
              Graph& rows) {
    for (std::int64_t g = from; g < to; ++g) {
        couplings.clear();
        float excess = 0;
        for (auto m = grouping.first[static_cast<std::size_t>(g)]; m < grouping.first[static_cast<std::size_t>(g) + 1];
             ++m) {
            const std::int32_t p = grouping.members[static_cast<std::size_t>(m)];
            excess += edges.excess(p);
            edges.each(p, [&](std::int64_t q, float w) {
                const std::int32_t other = grouping.group[static_cast<std::size_t>(q)];
                if (other < 0)
                    excess += w;
                else if (other != g)
                    couplings.add(other, w);
            });
        }
        auto& found = couplings.found();
        std::sort(found.begin(), found.end());
        float sum = excess;
        for (const auto& [other, w] : found) {
            rows.node.push_back(other);
            rows.weight.push_back(w);
            sum += w;
        }
        rows.excess.push_back(excess);
        rows.inverse.push_back(sum > 0 ? 1 / sum : 0);
        rows.first.push_back(static_cast<std::int64_t>(rows.node.size()));
    }
    couplings.clear();
}

// Takes the parts away as it goes.
void append(Graph& part, Graph& whole) {
    const auto before = static_cast<std::int64_t>(whole.node.size());
    for (const std::int64_t end : part.first) whole.first.push_back(before + end);
    whole.node.insert(whole.node.end(), part.node.begin(), part.node.end());
    for (auto member : {&Graph::weight, &Graph::excess, &Graph::inverse})
        (whole.*member).insert((whole.*member).end(), (part.*member).begin(), (part.*member).end());
    part = Graph{};
}

template <typename Edges>
bool sum_up(const Edges& edges, const Grouping& grouping, Graph& coarse, int threads, const Poll& go_on) {
    constexpr std::int64_t slab = 8192;  // groups
    const std::int64_t groups = grouping.groups(), tasks = (groups + slab - 1) / slab;
    const auto workers = static_cast<int>(std::clamp<std::int64_t>(tasks, 1, threads));
    std::vector<Couplings> couplings(static_cast<std::size_t>(workers), Couplings(groups));
    std::vector<Graph> parts(static_cast<std::size_t>(tasks));
    const bool whole = parallel_for(
        tasks, workers,
        [&](std::int64_t t, int worker) {
            sum_rows(edges, grouping, t * slab, std::min(groups, (t + 1) * slab),
                     couplings[static_cast<std::size_t>(worker)], parts[static_cast<std::size_t>(t)]);
        },
        [&](std::int64_t, std::int64_t) { return go_on(); });
    if (!whole) return false;
    std::size_t count = 0;
    for (const Graph& part : parts) count += part.node.size();
    coarse = Graph{};
    coarse.first.reserve(static_cast<std::size_t>(groups) + 1);
    coarse.first.push_back(0);
    coarse.node.reserve(count), coarse.weight.reserve(count);
    for (Graph& part : parts) append(part, coarse);
    return true;
}

template <typename Edges>
bool coarsen_any(const Edges& edges, int passes, Grouping& grouping, Graph& coarse, int threads, const Poll& go_on) {
    {
        Pairing<Edges> pairing(edges, grouping);
        for (int i = 0; i < passes; ++i)
            if (!pairing.pass(i, go_on)) return false;
        pairing.list_members(grouping);
    }
    return sum_up(edges, grouping, coarse, threads, go_on);
}

}  // namespace

bool coarsen(const Lattice& fine, int passes, Grouping& grouping, Graph& coarse, int threads, const Poll& go_on) {
    return coarsen_any(LatticeEdges{fine}, passes, grouping, coarse, threads, go_on);
}

bool coarsen(const Graph& fine, int passes, Grouping& grouping, Graph& coarse, int threads, const Poll& go_on) {
    return coarsen_any(GraphEdges{fine}, passes, grouping, coarse, threads, go_on);
}

}  // namespace usfast
