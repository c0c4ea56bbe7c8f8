// Multilevel B-spline approximation (Lee, Wolberg and Shin 1997): a cubic tensor spline on a coarse lattice, then
// splines of what remains on lattices twice as fine each, all added up on the finest by subdivision.
#include <algorithm>
#include <cmath>

#include "families.hpp"

namespace usfast::functions {
namespace {

// Control (i, j, k) belongs to node ((i - 1) << level, ...).
struct Lattice {
    std::int64_t x, y, z;
    std::vector<float> value;

    Lattice(const GridSize& nodes, int level)
        : x((nodes.x >> level) + 4),
          y((nodes.y >> level) + 4),
          z((nodes.z >> level) + 4),
          value(static_cast<std::size_t>(x * y * z)) {}
};

// The four controls along an axis that a place uses, and their weights.
struct Basis {
    std::int64_t first;
    double weight[4], squares;

    Basis(std::int64_t cell, double place, int level) {
        first = cell >> level;
        const double edge = static_cast<double>(std::int64_t{1} << level);
        const double t = std::min((static_cast<double>(cell - (first << level)) + place) / edge, 1.0), u = 1 - t;
        weight[0] = u * u * u / 6;
        weight[1] = (3 * t * t * t - 6 * t * t + 4) / 6;
        weight[2] = (3 * u * u * u - 6 * u * u + 4) / 6;
        weight[3] = t * t * t / 6;
        squares = 0;
        for (const double w : weight) squares += w * w;
    }
};

// Calls work(sample's number, its bases along x, y, z) for the rows of cells [z0, z1).
template <typename Work>
void for_each_sample(const Samples& samples, int level, std::int64_t z0, std::int64_t z1, const Work& work) {
    for (std::int64_t z = z0; z < z1; ++z)
        for (std::int64_t y = 0; y < samples.cells.y; ++y) {
            const std::int64_t row = samples.row(y, z);
            for (const Sample* s = samples.begin(row); s != samples.end(row); ++s)
                work(static_cast<std::size_t>(s - samples.list.data()),
                     Basis(s->cell, static_cast<double>(s->x), level), Basis(y, static_cast<double>(s->y), level),
                     Basis(z, static_cast<double>(s->z), level));
        }
}

// Controls that bring the spline as close to what remains as each sample, for itself, asks: equation 5 of the paper,
// with the samples' weights.
bool approximate(const Samples& samples, const std::vector<double>& rest, int level, Tasks& tasks, Lattice& lattice) {
    const std::int64_t depth = std::max<std::int64_t>(8 >> level, 1);  // coarse planes have many samples each
    const std::int64_t plane = lattice.x * lattice.y;
    std::vector<std::vector<double>> scratch(static_cast<std::size_t>(tasks.threads()));
    return tasks.run((lattice.z + depth - 1) / depth, [&](std::int64_t task, int worker) {
        const std::int64_t z0 = task * depth, z1 = std::min(z0 + depth, lattice.z);
        auto& sums = scratch[static_cast<std::size_t>(worker)];
        sums.assign(static_cast<std::size_t>(2 * plane * (z1 - z0)), 0.0);
        const std::int64_t first = std::max<std::int64_t>(z0 - 3, 0) << level;
        const std::int64_t last = std::min(z1 << level, samples.cells.z);
        for_each_sample(
            samples, level, first, last, [&](std::size_t i, const Basis& x, const Basis& y, const Basis& z) {
                const double step = rest[i] / (x.squares * y.squares * z.squares);
                const auto weight = static_cast<double>(samples.list[i].weight);
                for (int c = 0; c < 4; ++c) {
                    if (z.first + c < z0 || z.first + c >= z1) continue;
                    for (int b = 0; b < 4; ++b) {
                        const double zy = z.weight[c] * y.weight[b];
                        double* to =
                            sums.data() + 2 * (((z.first + c - z0) * lattice.y + y.first + b) * lattice.x + x.first);
                        for (int a = 0; a < 4; ++a) {
                            const double w = zy * x.weight[a], share = weight * w * w;
                            to[2 * a] += share * w * step, to[2 * a + 1] += share;
                        }
                    }
                }
            });
        float* out = lattice.value.data() + z0 * plane;
        for (std::int64_t i = 0; i < plane * (z1 - z0); ++i)
            out[i] = sums[static_cast<std::size_t>(2 * i + 1)] > 0
                         ? static_cast<float>(sums[static_cast<std::size_t>(2 * i)] /
                                              sums[static_cast<std::size_t>(2 * i + 1)])
                         : 0.0f;
    });
}

bool subtract(const Samples& samples, const Lattice& lattice, int level, Tasks& tasks, std::vector<double>& rest) {
    return tasks.run(samples.cells.z, [&](std::int64_t plane, int) {
        for_each_sample(
            samples, level, plane, plane + 1, [&](std::size_t i, const Basis& x, const Basis& y, const Basis& z) {
                double sum = 0;
                for (int c = 0; c < 4; ++c)
                    for (int b = 0; b < 4; ++b) {
                        const float* p =
                            lattice.value.data() + ((z.first + c) * lattice.y + y.first + b) * lattice.x + x.first;
                        double line = 0;
                        for (int a = 0; a < 4; ++a) line += x.weight[a] * static_cast<double>(p[a]);
                        sum += z.weight[c] * y.weight[b] * line;
                    }
                rest[i] -= sum;
            });
    });
}

// Where a control of the finer lattice gets its value from, along one axis: up to three of the coarser.
struct Stencil {
    std::int64_t first;
    int count;
    double weight[3];

    explicit Stencil(std::int64_t fine) {
        const std::int64_t node = fine - 1;
        const bool even = node % 2 == 0;
        first = even ? node / 2 : (node + 1) / 2;
        count = even ? 3 : 2;
        weight[0] = even ? 0.125 : 0.5, weight[1] = even ? 0.75 : 0.5, weight[2] = 0.125;
    }
};

// Adds the same spline on a lattice twice as fine.
bool subdivide(const Lattice& coarse, Tasks& tasks, Lattice& fine) {
    return tasks.run(fine.z, [&](std::int64_t k, int) {
        const Stencil z(k);
        for (std::int64_t j = 0; j < fine.y; ++j) {
            const Stencil y(j);
            for (std::int64_t i = 0; i < fine.x; ++i) {
                const Stencil x(i);
                double sum = 0;
                for (int c = 0; c < z.count; ++c)
                    for (int b = 0; b < y.count; ++b) {
                        const float* p =
                            coarse.value.data() + ((z.first + c) * coarse.y + y.first + b) * coarse.x + x.first;
                        double line = 0;
                        for (int a = 0; a < x.count; ++a) line += x.weight[a] * static_cast<double>(p[a]);
                        sum += z.weight[c] * y.weight[b] * line;
                    }
                fine.value[static_cast<std::size_t>((k * fine.y + j) * fine.x + i)] += static_cast<float>(sum);
            }
        }
    });
}

// Values of the spline on the finest lattice, whose controls belong to voxels, plus the mean.
bool read_off(const Lattice& lattice, const Frame& frame, const GridSize& size, double mean, Tasks& tasks,
              const float* weight, float* volume) {
    return tasks.run(size.z, [&](std::int64_t k, int) {
        constexpr double part[3] = {1.0 / 6, 4.0 / 6, 1.0 / 6};
        for (std::int64_t j = 0; j < size.y; ++j)
            for (std::int64_t i = 0; i < size.x; ++i) {
                const std::int64_t at = (k * size.y + j) * size.x + i;
                double sum = mean;
                if (weight[at] > 0)
                    for (int c = 0; c < 3; ++c)
                        for (int b = 0; b < 3; ++b) {
                            const float* p =
                                lattice.value.data() +
                                ((k + frame.margin[2] + c) * lattice.y + j + frame.margin[1] + b) * lattice.x + i +
                                frame.margin[0];
                            double line = 0;
                            for (int a = 0; a < 3; ++a) line += part[a] * static_cast<double>(p[a]);
                            sum += part[c] * part[b] * line;
                        }
                volume[at] = weight[at] > 0 ? static_cast<float>(sum) : 0.0f;
            }
    });
}

}  // namespace

// Lattices: the coarsest spans twice the reach in one step, so that no voxel that gets a value is left out.
int bspline_levels(const Frame& frame, const FunctionOptions&) {
    const std::int64_t reach = std::max({frame.margin[0], frame.margin[1], frame.margin[2]});
    int levels = 1;
    while ((std::int64_t{1} << (levels - 1)) < 2 * reach) ++levels;
    return levels;
}

int bspline_phases(const Frame& frame, const FunctionOptions& options) {
    return 3 * bspline_levels(frame, options) + 1;
}

bool fit_bspline(const Samples& samples, const Frame& frame, const GridSize& size, const FunctionOptions& options,
                 Tasks& tasks, const float* weight, float* volume) {
    double sum = 0, total = 0;
    for (const Sample& s : samples.list)
        sum += static_cast<double>(s.weight) * s.value, total += static_cast<double>(s.weight);
    const double mean = total > 0 ? sum / total : 0;
    std::vector<double> rest;
    rest.reserve(samples.list.size());
    for (const Sample& s : samples.list) rest.push_back(s.value - mean);

    const int levels = bspline_levels(frame, options);
    Lattice spline(frame.nodes, levels - 1);
    for (int level = levels - 1; level >= 0; --level) {
        Lattice next(frame.nodes, level);
        if (1 << level >= options.finest) {
            if (!approximate(samples, rest, level, tasks, next)) return false;
            if (!subtract(samples, next, level, tasks, rest)) return false;
        }
        if (level == levels - 1)
            spline = std::move(next);
        else {
            if (!subdivide(spline, tasks, next)) return false;
            spline = std::move(next);
        }
    }
    return read_off(spline, frame, size, mean, tasks, weight, volume);
}

}  // namespace usfast::functions
