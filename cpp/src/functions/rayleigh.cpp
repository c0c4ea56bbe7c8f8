// Maximum a posteriori estimate of the power of the echoes: theta, the log of Rayleigh's parameter, at the nodes of the
// grid and trilinear between them, maximises
//
//   - sum over samples of weight (theta + power exp(-theta)) - regularisation / 2 * sum over neighbours of (theta -
//   theta')^2,
//
// which is concave. Nodes are taken one by one (iterated conditional modes), in eight colours: nodes of one colour are
// neither neighbours nor corners of one cell, so their order, and the number of threads, does not matter. The part of
// a sample in a node's own problem is bounded by convexity, so each has one exponential, and no step lowers the
// posterior. Lattices of 2^k voxels come first, each the start of the next.
#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "families.hpp"

namespace usfast::functions {
namespace {

struct Level {
    const Samples& samples;
    GridSize nodes;
    std::vector<std::int32_t> sample;  // of each cell, or -1; a row of cells has nodes.x entries
    std::vector<double> log_power;     // of each sample: the interpolated theta
    std::vector<float> theta;
    std::vector<std::uint8_t> active;
    double coupling[3];  // along x, y, z

    std::int64_t at(std::int64_t x, std::int64_t y, std::int64_t z) const { return (z * nodes.y + y) * nodes.x + x; }
};

double interpolated(const Level& level, const Sample& s, std::int64_t y, std::int64_t z) {
    double sum = 0;
    for (int c = 0; c < 2; ++c)
        for (int b = 0; b < 2; ++b) {
            const float* p = level.theta.data() + level.at(s.cell, y + b, z + c);
            const auto fx = static_cast<double>(s.x), fy = static_cast<double>(s.y), fz = static_cast<double>(s.z);
            sum += (c ? fz : 1 - fz) * (b ? fy : 1 - fy) *
                   ((1 - fx) * static_cast<double>(p[0]) + fx * static_cast<double>(p[1]));
        }
    return sum;
}

// Where rising * d + bending d^2 / 2 + falling exp(-d) is smallest, within one of 0; Newton's steps never overshoot
// from below, because the derivative is concave.
double smallest(double rising, double bending, double falling) {
    double d = 0;
    for (int step = 0; step < 12; ++step) {
        const double decay = falling * std::exp(-d);
        const double next = std::clamp(d - (rising + bending * d - decay) / (bending + decay), -1.0, 1.0);
        const double change = next - d;
        d = next;
        if (std::abs(change) < 1e-6) break;
    }
    return d;
}

// The change of one node that raises the posterior most, all others as they are; keeps the samples up to date.
double improve(Level& level, std::int64_t x, std::int64_t y, std::int64_t z) {
    struct Near {
        std::int32_t sample;
        double part;
    } near[8];
    int count = 0;
    double rising = 0, falling = 0, bending = 0;
    const GridSize& n = level.nodes;
    for (int c = 0; c < 2; ++c)
        for (int b = 0; b < 2; ++b)
            for (int a = 0; a < 2; ++a) {
                const std::int64_t i = x - 1 + a, j = y - 1 + b, k = z - 1 + c;
                if (i < 0 || j < 0 || k < 0 || i >= n.x - 1 || j >= n.y - 1 || k >= n.z - 1) continue;
                const std::int32_t found = level.sample[static_cast<std::size_t>(level.at(i, j, k))];
                if (found < 0) continue;
                const Sample& s = level.samples.list[static_cast<std::size_t>(found)];
                const auto fx = static_cast<double>(s.x), fy = static_cast<double>(s.y), fz = static_cast<double>(s.z);
                const double part = (a ? 1 - fx : fx) * (b ? 1 - fy : fy) * (c ? 1 - fz : fz);
                const double w = part * static_cast<double>(s.weight);
                rising += w;
                falling += w * s.value * std::exp(-level.log_power[static_cast<std::size_t>(found)]);
                near[count++] = {found, part};
            }
    const std::int64_t here = level.at(x, y, z), stride[3] = {1, n.x, n.x * n.y}, place[3] = {x, y, z};
    const std::int64_t length[3] = {n.x, n.y, n.z};
    const auto theta = static_cast<double>(level.theta[static_cast<std::size_t>(here)]);
    for (int a = 0; a < 3; ++a)
        for (int side = -1; side <= 1; side += 2) {
            if (place[a] + side < 0 || place[a] + side >= length[a]) continue;
            const auto other = static_cast<std::size_t>(here + side * stride[a]);
            if (!level.active[other]) continue;
            rising += level.coupling[a] * (theta - static_cast<double>(level.theta[other]));
            bending += level.coupling[a];
        }
    if (!(bending > 0) && !(falling > 0)) return 0;
    const auto changed = static_cast<float>(theta + smallest(rising, bending, falling));
    level.theta[static_cast<std::size_t>(here)] = changed;
    const double change = static_cast<double>(changed) - theta;
    for (int i = 0; i < count; ++i) level.log_power[static_cast<std::size_t>(near[i].sample)] += near[i].part * change;
    return std::abs(change);
}

// Samples' interpolated theta anew, so that rounding does not add up.
bool refresh(Level& level, Tasks& tasks) {
    return tasks.run(
        level.samples.cells.z,
        [&](std::int64_t z, int) {
            for (std::int64_t y = 0; y < level.samples.cells.y; ++y) {
                const std::int64_t row = level.samples.row(y, z);
                const Sample* list = level.samples.list.data();
                for (const Sample* s = level.samples.begin(row); s != level.samples.end(row); ++s)
                    level.log_power[static_cast<std::size_t>(s - list)] = interpolated(level, *s, y, z);
            }
        },
        static_cast<std::int64_t>(level.samples.list.size()));
}

// Sweeps until no node changes by more than the tolerance.
bool sweep(Level& level, const FunctionOptions& options, Tasks& tasks) {
    const GridSize& n = level.nodes;
    std::vector<double> changes(static_cast<std::size_t>(n.z));
    for (int iteration = 0; iteration < options.iterations; ++iteration) {
        if (!refresh(level, tasks)) return false;
        std::fill(changes.begin(), changes.end(), 0.0);
        for (int colour = 0; colour < 8; ++colour) {
            const std::int64_t x0 = colour & 1, y0 = colour >> 1 & 1, z0 = colour >> 2;
            const bool whole = tasks.run((n.z + 1 - z0) / 2,
                                         [&](std::int64_t task, int) {
                                             const std::int64_t z = 2 * task + z0;
                                             double largest = changes[static_cast<std::size_t>(z)];
                                             for (std::int64_t y = y0; y < n.y; y += 2)
                                                 for (std::int64_t x = x0; x < n.x; x += 2)
                                                     if (level.active[static_cast<std::size_t>(level.at(x, y, z))])
                                                         largest = std::max(largest, improve(level, x, y, z));
                                             changes[static_cast<std::size_t>(z)] = largest;
                                         },
                                         n.x * n.y * n.z / 8);
            if (!whole) return false;
        }
        if (*std::max_element(changes.begin(), changes.end()) <= options.tolerance) {
            tasks.skip(9 * (options.iterations - 1 - iteration));
            break;
        }
    }
    return true;
}

// Marks what lies up to `width` after or before a mark, along a line.
void widen(std::uint8_t* line, std::int64_t count, std::int64_t stride, std::int64_t width) {
    const auto pass = [&](std::int64_t from, std::int64_t step) {
        std::int64_t left = 0;
        for (std::int64_t i = from; i >= 0 && i < count; i += step) {
            std::uint8_t& mark = line[i * stride];
            if (mark & 1)
                left = width;
            else if (left > 0)
                mark |= 2, --left;
        }
    };
    pass(0, 1), pass(count - 1, -1);
    for (std::int64_t i = 0; i < count; ++i) line[i * stride] = line[i * stride] != 0;
}

// Corners of cells with samples, and what lies around them up to the reach: no others are estimated.
bool activate(Level& level, const FunctionOptions& options, double edge, Tasks& tasks) {
    const GridSize& n = level.nodes;
    for (std::int64_t z = 0; z < level.samples.cells.z; ++z)
        for (std::int64_t y = 0; y < level.samples.cells.y; ++y) {
            const std::int64_t row = level.samples.row(y, z);
            for (const Sample* s = level.samples.begin(row); s != level.samples.end(row); ++s) {
                level.sample[static_cast<std::size_t>(level.at(s->cell, y, z))] =
                    static_cast<std::int32_t>(s - level.samples.list.data());
                for (int corner = 0; corner < 8; ++corner)
                    level.active[static_cast<std::size_t>(
                        level.at(s->cell + (corner & 1), y + (corner >> 1 & 1), z + (corner >> 2)))] = 1;
            }
        }
    std::int64_t width[3];
    for (int a = 0; a < 3; ++a) width[a] = static_cast<std::int64_t>(options.reach / (options.spacing[a] * edge)) + 1;
    std::uint8_t* marks = level.active.data();
    return tasks.run(n.z, [&](std::int64_t z, int) {
        for (std::int64_t y = 0; y < n.y; ++y) widen(marks + level.at(0, y, z), n.x, 1, width[0]);
        for (std::int64_t x = 0; x < n.x; ++x) widen(marks + level.at(x, 0, z), n.y, n.x, width[1]);
    }) && tasks.run(n.y, [&](std::int64_t y, int) {
        for (std::int64_t x = 0; x < n.x; ++x) widen(marks + level.at(x, y, 0), n.z, n.x * n.y, width[2]);
    });
}

// theta of the coarser lattice at the nodes of the finer one.
bool start_from(const GridSize& size, const std::vector<float>& coarse, Tasks& tasks, Level& fine) {
    return tasks.run(fine.nodes.z, [&](std::int64_t z, int) {
        for (std::int64_t y = 0; y < fine.nodes.y; ++y)
            for (std::int64_t x = 0; x < fine.nodes.x; ++x) {
                double sum = 0;
                for (std::int64_t corner = 0; corner < 8; ++corner) {
                    const std::int64_t i = (x + (corner & 1)) / 2, j = (y + (corner >> 1 & 1)) / 2;
                    const std::int64_t k = (z + (corner >> 2)) / 2;
                    sum += static_cast<double>(coarse[static_cast<std::size_t>((k * size.y + j) * size.x + i)]);
                }
                fine.theta[static_cast<std::size_t>(fine.at(x, y, z))] = static_cast<float>(sum / 8);
            }
    });
}

// The mean pixel of speckle of that power.
double mean_pixel(double theta, const FunctionOptions& options) {
    constexpr double log2 = 0.69314718055994530942;
    if (options.compression > 0) return 0.5 * options.compression * (theta + log2) + options.level;
    return options.level * std::sqrt(2 * std::exp(theta));
}

}  // namespace

int rayleigh_levels(const Frame& frame, const FunctionOptions&) {
    const std::int64_t reach = std::max({frame.margin[0], frame.margin[1], frame.margin[2]});
    int levels = 1;
    while ((std::int64_t{1} << (levels - 1)) < reach) ++levels;
    return levels;
}

int rayleigh_phases(const Frame& frame, const FunctionOptions& options) {
    return rayleigh_levels(frame, options) * (9 * options.iterations + 3);
}

bool fit_rayleigh(const Samples& samples, const Frame& frame, const GridSize& size, const FunctionOptions& options,
                  Tasks& tasks, const float* weight, float* volume) {
    if (samples.list.size() > std::numeric_limits<std::int32_t>::max()) throw std::bad_alloc();
    const int levels = rayleigh_levels(frame, options);
    std::vector<Samples> pyramid;
    for (int k = 1; k < levels; ++k) pyramid.push_back(coarser(k == 1 ? samples : pyramid.back()));
    double power = 0, total = 0;
    for (const Sample& s : samples.list)
        power += static_cast<double>(s.weight) * s.value, total += static_cast<double>(s.weight);
    const double mean_edge = std::cbrt(options.spacing[0] * options.spacing[1] * options.spacing[2]);

    GridSize before{0, 0, 0};
    std::vector<float> theta;
    for (int k = levels - 1; k >= 0; --k) {
        const Samples& data = k == 0 ? samples : pyramid[static_cast<std::size_t>(k - 1)];
        const GridSize nodes{data.cells.x + 1, data.cells.y + 1, data.cells.z + 1};
        const auto count = static_cast<std::size_t>(nodes.x * nodes.y * nodes.z);
        const double edge = static_cast<double>(std::int64_t{1} << k);
        Level level{data,
                    nodes,
                    std::vector<std::int32_t>(count, -1),
                    std::vector<double>(data.list.size()),
                    std::vector<float>(count),
                    std::vector<std::uint8_t>(count),
                    {}};
        for (int a = 0; a < 3; ++a) {
            const double ratio = mean_edge / options.spacing[a];
            // The same integral of the squared gradient on a lattice of any spacing.
            level.coupling[a] = options.regularisation * ratio * ratio * edge;
        }
        if (k == levels - 1)
            std::fill(level.theta.begin(), level.theta.end(),
                      static_cast<float>(total > 0 ? std::log(power / total) : 0));
        else if (!start_from(before, theta, tasks, level))
            return false;
        if (!activate(level, options, edge, tasks) || !sweep(level, options, tasks)) return false;
        before = nodes, theta = std::move(level.theta);
    }
    return tasks.run(size.z, [&](std::int64_t z, int) {
        for (std::int64_t y = 0; y < size.y; ++y)
            for (std::int64_t x = 0; x < size.x; ++x) {
                const std::int64_t at = (z * size.y + y) * size.x + x;
                const std::int64_t node =
                    ((z + frame.margin[2]) * before.y + y + frame.margin[1]) * before.x + x + frame.margin[0];
                const auto value = static_cast<double>(theta[static_cast<std::size_t>(node)]);
                volume[at] = weight[at] > 0 ? static_cast<float>(mean_pixel(value, options)) : 0.0f;
            }
    });
}

}  // namespace usfast::functions
