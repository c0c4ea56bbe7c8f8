// Biharmonic splines on boxes that overlap: each leaf of an octree has its own, from the samples near it, and voxels
// at the faces of leaves take a mean of both sides. Further from a leaf, samples are averaged in cells of 2, 4, 8, ...
// voxels: they only say how the function goes on.
#include <Eigen/Cholesky>
#include <algorithm>
#include <array>
#include <cmath>

#include "families.hpp"

namespace usfast::functions {
namespace {

constexpr std::int64_t brick = 8, smallest_leaf = 2;
constexpr int zones = 6;
constexpr std::int64_t zone_width[zones] = {1, 3, 7, 15, 31, 63};  // voxels around a leaf

struct Box {
    std::int64_t low[3], high[3];  // nodes [low, high)
};

struct Centre {
    std::array<std::int64_t, 3> cell;
    double x, y, z, value, weight;  // mm from the middle of the leaf; the sums of these times the weight until pooled
};

struct Scratch {
    std::vector<Centre> centres, ring;
    Eigen::MatrixXd matrix;
    Eigen::MatrixX2d right;  // the values, and ones
    Eigen::ArrayXd x, y, z, r;
};

class Interpolant {
  public:
    Interpolant(const Samples& samples, const Frame& frame, const GridSize& size, const FunctionOptions& options,
                const float* weight, float* volume, float* share)
        : samples_(samples),
          frame_(frame),
          size_(size),
          options_(options),
          weight_(weight),
          volume_(volume),
          share_(share) {}

    // Splits the box until few enough samples lie close to it, and fits each leaf.
    void add(const Box& box, Scratch& scratch) const {
        if (!wanted(box)) return;
        const std::int64_t edge = box.high[0] - box.low[0];
        if (edge > smallest_leaf && count_near(box) > options_.max_centres) {
            for (int part = 0; part < 8; ++part) {
                Box leaf = box;
                for (int a = 0; a < 3; ++a) {
                    leaf.low[a] += part >> a & 1 ? edge / 2 : 0;
                    leaf.high[a] = leaf.low[a] + edge / 2;
                }
                add(leaf, scratch);
            }
            return;
        }
        gather(box, scratch);
        if (!scratch.centres.empty()) blend(box, scratch, solve(scratch));
    }

  private:
    const Samples& samples_;
    const Frame& frame_;
    const GridSize& size_;
    const FunctionOptions& options_;
    const float* weight_;
    float* volume_;
    float* share_;

    // Calls work(index of the voxel, its node) for voxels in the box, widened by one, that shall have a value.
    template <typename Work>
    void for_each_voxel(const Box& box, const Work& work) const {
        const std::int64_t n[3] = {size_.x, size_.y, size_.z};
        std::int64_t low[3], high[3];
        for (int a = 0; a < 3; ++a) {
            low[a] = std::max(box.low[a] - 1 - frame_.margin[a], std::int64_t{0});
            high[a] = std::min(box.high[a] + 1 - frame_.margin[a], n[a]);
        }
        for (std::int64_t z = low[2]; z < high[2]; ++z)
            for (std::int64_t y = low[1]; y < high[1]; ++y)
                for (std::int64_t x = low[0]; x < high[0]; ++x) {
                    const std::int64_t at = (z * size_.y + y) * size_.x + x;
                    const std::int64_t node[3] = {x + frame_.margin[0], y + frame_.margin[1], z + frame_.margin[2]};
                    if (weight_[at] > 0) work(at, node);
                }
    }

    bool wanted(const Box& box) const {
        bool any = false;
        for_each_voxel(box, [&](std::int64_t, const std::int64_t*) { any = true; });
        return any;
    }

    // Calls work(sample, y, z) for samples in cells less than `width` away from the cells between the box's nodes, but
    // not less than `inner`.
    template <typename Work>
    void for_each_sample(const Box& box, std::int64_t inner, std::int64_t width, const Work& work) const {
        const auto outside = [&](std::int64_t cell, int a) {  // cells from the box
            return std::max({box.low[a] - 1 - cell, cell - box.high[a] + 1, std::int64_t{0}});
        };
        const auto first = [&](int a) { return std::max(box.low[a] - width, std::int64_t{0}); };
        const auto last = [&](int a, std::int64_t n) { return std::min(box.high[a] + width - 1, n); };
        const std::int64_t x0 = first(0), x1 = last(0, samples_.cells.x);
        for (std::int64_t z = first(2); z < last(2, samples_.cells.z); ++z)
            for (std::int64_t y = first(1); y < last(1, samples_.cells.y); ++y) {
                const std::int64_t row = samples_.row(y, z);
                const Sample* end = samples_.end(row);
                const Sample* s = std::lower_bound(samples_.begin(row), end, x0,
                                                   [](const Sample& a, std::int64_t x) { return a.cell < x; });
                const bool within = outside(y, 1) < inner && outside(z, 2) < inner;
                for (; s != end && s->cell < x1; ++s)
                    if (!within || outside(s->cell, 0) >= inner) work(*s, y, z);
            }
    }

    std::int64_t count_near(const Box& box) const {
        std::int64_t count = 0;
        for_each_sample(box, 0, zone_width[0], [&](const Sample&, std::int64_t, std::int64_t) { ++count; });
        return count;
    }

    // Centres zone by zone, until there are enough of them or the reach ends.
    void gather(const Box& box, Scratch& scratch) const {
        scratch.centres.clear();
        std::int64_t furthest = 0, inner = 0;
        for (int a = 0; a < 3; ++a)
            furthest = std::max(furthest, static_cast<std::int64_t>(options_.reach / options_.spacing[a]) + 2);
        for (int zone = 0; zone < zones && inner < furthest; ++zone) {
            const std::int64_t width = std::min(zone_width[zone], furthest);
            gather_zone(box, zone, inner, width, scratch.ring);
            scratch.centres.insert(scratch.centres.end(), scratch.ring.begin(), scratch.ring.end());
            inner = width;
            if (static_cast<int>(scratch.centres.size()) >= options_.max_centres) break;
        }
    }

    void gather_zone(const Box& box, int zone, std::int64_t inner, std::int64_t width,
                     std::vector<Centre>& ring) const {
        const double* h = options_.spacing;
        double middle[3];
        for (int a = 0; a < 3; ++a) middle[a] = 0.5 * static_cast<double>(box.low[a] + box.high[a] - 1);
        ring.clear();
        for_each_sample(box, inner, width, [&](const Sample& s, std::int64_t y, std::int64_t z) {
            const auto w = static_cast<double>(s.weight);
            const auto mm = [&](std::int64_t cell, float place, int a) {
                return w * h[a] * (static_cast<double>(cell) + static_cast<double>(place) - middle[a]);
            };
            ring.push_back({{z >> zone, y >> zone, s.cell >> zone},
                            mm(s.cell, s.x, 0),
                            mm(y, s.y, 1),
                            mm(z, s.z, 2),
                            w * s.value,
                            w});
        });
        if (zone > 0) pool(ring);
        for (Centre& c : ring) c.x /= c.weight, c.y /= c.weight, c.z /= c.weight, c.value /= c.weight;
    }

    static void pool(std::vector<Centre>& ring) {
        // Stable, so that the sums are taken in one order.
        std::stable_sort(ring.begin(), ring.end(), [](const Centre& a, const Centre& b) { return a.cell < b.cell; });
        std::size_t last = 0;
        for (std::size_t i = 1; i < ring.size(); ++i)
            if (ring[i].cell == ring[last].cell) {
                Centre& c = ring[last];
                c.x += ring[i].x, c.y += ring[i].y, c.z += ring[i].z;
                c.value += ring[i].value, c.weight += ring[i].weight;
            } else {
                ring[++last] = ring[i];
            }
        if (!ring.empty()) ring.resize(last + 1);
    }

    // Coefficients into the first column of scratch.right; returns the constant. The kernel -r with coefficients of sum
    // zero is, for such coefficients, the same as |a| + |b| - |a - b| + c, which is positive definite (Levy's Brownian
    // motion), so Cholesky's decomposition serves.
    double solve(Scratch& s) const {
        const auto n = static_cast<Eigen::Index>(s.centres.size());
        s.x.resize(n), s.y.resize(n), s.z.resize(n), s.right.resize(n, 2), s.matrix.resize(n, n);
        for (Eigen::Index i = 0; i < n; ++i) {
            const Centre& c = s.centres[static_cast<std::size_t>(i)];
            s.x[i] = c.x, s.y[i] = c.y, s.z[i] = c.z, s.right(i, 0) = c.value, s.right(i, 1) = 1;
        }
        s.r = (s.x.square() + s.y.square() + s.z.square()).sqrt();
        for (Eigen::Index j = 0; j < n; ++j) {
            const Eigen::Index m = n - j;
            s.matrix.col(j).tail(m).array() =
                s.r.tail(m) + (s.r[j] + options_.spacing[0]) -
                ((s.x.tail(m) - s.x[j]).square() + (s.y.tail(m) - s.y[j]).square() + (s.z.tail(m) - s.z[j]).square())
                    .sqrt();
            s.matrix(j, j) += options_.smoothing / s.centres[static_cast<std::size_t>(j)].weight;
        }
        Eigen::LLT<Eigen::Ref<Eigen::MatrixXd>, Eigen::Lower> decomposition(s.matrix);
        decomposition.solveInPlace(s.right);
        const double shift = s.right.col(0).sum() / s.right.col(1).sum();
        s.right.col(0) -= shift * s.right.col(1);
        return shift + (s.right.col(0).array() * s.r).sum();
    }

    void blend(const Box& box, Scratch& s, double constant) const {
        const double* h = options_.spacing;
        // The share of a leaf falls over its last and the next voxel: 1, 3/4, 1/4, 0.
        const auto ramp = [&](std::int64_t node, int a) {
            const std::int64_t inside = std::min(node - box.low[a], box.high[a] - 1 - node);
            return inside > 0 ? 1.0f : inside == 0 ? 0.75f : 0.25f;
        };
        for_each_voxel(box, [&](std::int64_t at, const std::int64_t* node) {
            double place[3];
            for (int a = 0; a < 3; ++a)
                place[a] =
                    h[a] * (static_cast<double>(node[a]) - 0.5 * static_cast<double>(box.low[a] + box.high[a] - 1));
            const double value =
                constant - (s.right.col(0).array() *
                            ((s.x - place[0]).square() + (s.y - place[1]).square() + (s.z - place[2]).square()).sqrt())
                               .sum();
            const float part = ramp(node[0], 0) * ramp(node[1], 1) * ramp(node[2], 2);
            volume_[at] += part * static_cast<float>(value);
            share_[at] += part;
        });
    }
};

}  // namespace

bool fit_radial_basis(const Samples& samples, const Frame& frame, const GridSize& size, const FunctionOptions& options,
                      Tasks& tasks, const float* weight, float* volume) {
    const std::int64_t voxels = size.x * size.y * size.z, plane = size.x * size.y;
    std::fill(volume, volume + voxels, 0.0f);
    std::vector<float> share(static_cast<std::size_t>(voxels));
    std::vector<Scratch> scratch(static_cast<std::size_t>(tasks.threads()));
    const Interpolant interpolant(samples, frame, size, options, weight, volume, share.data());
    const std::int64_t n[3] = {(size.x + brick - 1) / brick, (size.y + brick - 1) / brick,
                               (size.z + brick - 1) / brick};
    // Bricks of one colour share no voxel, and colours come in turn: each sum has one order.
    for (int colour = 0; colour < 8; ++colour) {
        std::int64_t count[3];
        for (int a = 0; a < 3; ++a) count[a] = (n[a] + 1 - (colour >> a & 1)) / 2;
        const bool whole = tasks.run(count[0] * count[1] * count[2], [&](std::int64_t task, int worker) {
            const std::int64_t at[3] = {task % count[0], task / count[0] % count[1], task / count[0] / count[1]};
            Box box;
            for (int a = 0; a < 3; ++a) {
                box.low[a] = (2 * at[a] + (colour >> a & 1)) * brick + frame.margin[a];
                box.high[a] = box.low[a] + brick;
            }
            interpolant.add(box, scratch[static_cast<std::size_t>(worker)]);
        });
        if (!whole) return false;
    }
    return tasks.run(size.z, [&](std::int64_t z, int) {
        for (std::int64_t i = z * plane; i < (z + 1) * plane; ++i)
            if (share[static_cast<std::size_t>(i)] > 0) volume[i] /= share[static_cast<std::size_t>(i)];
    });
}

}  // namespace usfast::functions
