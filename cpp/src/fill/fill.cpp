#include "usfast/fill.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <vector>

#include "convolve.hpp"
#include "diffusion.hpp"
#include "holes.hpp"

namespace usfast {
namespace {

struct Known {
    const float* volume;
    const float* weight;
    GridSize size;

    bool inside(std::int64_t x, std::int64_t y, std::int64_t z) const {
        return x >= 0 && x < size.x && y >= 0 && y < size.y && z >= 0 && z < size.z;
    }
    std::int64_t at(std::int64_t x, std::int64_t y, std::int64_t z) const { return (z * size.y + y) * size.x + x; }
};

struct Found {
    double value = 0;
    bool any = false;
};

// Mean of the known voxels in a cube, weighted by a table over squared distance.
Found window_mean(const Known& known, std::int64_t x, std::int64_t y, std::int64_t z, std::int64_t radius,
                  const std::vector<double>& by_distance) {
    double sum = 0, total = 0;
    const std::int64_t x0 = std::max<std::int64_t>(x - radius, 0), x1 = std::min(x + radius, known.size.x - 1);
    const std::int64_t y0 = std::max<std::int64_t>(y - radius, 0), y1 = std::min(y + radius, known.size.y - 1);
    const std::int64_t z0 = std::max<std::int64_t>(z - radius, 0), z1 = std::min(z + radius, known.size.z - 1);
    for (std::int64_t k = z0; k <= z1; ++k)
        for (std::int64_t j = y0; j <= y1; ++j) {
            const std::int64_t row = known.at(0, j, k), d2 = (k - z) * (k - z) + (j - y) * (j - y);
            for (std::int64_t i = x0; i <= x1; ++i) {
                if (!(known.weight[row + i] > 0)) continue;
                const double w = by_distance[static_cast<std::size_t>(d2 + (i - x) * (i - x))];
                sum += w * static_cast<double>(known.volume[row + i]);
                total += w;
            }
        }
    return total > 0 ? Found{sum / total, true} : Found{};
}

// Mean of the known voxels at the smallest distance in the cube. Offsets come sorted by distance.
struct Offset {
    std::int64_t x, y, z, d2;
};

Found nearest_mean(const Known& known, std::int64_t x, std::int64_t y, std::int64_t z,
                   const std::vector<Offset>& offsets) {
    double sum = 0;
    std::int64_t count = 0, d2 = 0;
    for (const Offset& o : offsets) {
        if (count && o.d2 != d2) break;
        if (!known.inside(x + o.x, y + o.y, z + o.z)) continue;
        const std::int64_t at = known.at(x + o.x, y + o.y, z + o.z);
        if (!(known.weight[at] > 0)) continue;
        sum += static_cast<double>(known.volume[at]);
        d2 = o.d2;
        ++count;
    }
    return count ? Found{sum / static_cast<double>(count), true} : Found{};
}

// The 13 lines through a voxel and its 26 neighbours.
constexpr std::array<std::array<int, 3>, 13> directions{{{1, 0, 0},
                                                         {0, 1, 0},
                                                         {0, 0, 1},
                                                         {1, 1, 0},
                                                         {1, -1, 0},
                                                         {1, 0, 1},
                                                         {1, 0, -1},
                                                         {0, 1, 1},
                                                         {0, 1, -1},
                                                         {1, 1, 1},
                                                         {1, 1, -1},
                                                         {1, -1, 1},
                                                         {1, -1, -1}}};

// Steps from (x, y, z) along `sign` d to the first known voxel, if it lies in the grid and within `limit`; else 0.
std::int64_t walk(const Known& known, const std::int64_t (&from)[3], const std::array<int, 3>& d, int sign,
                  std::int64_t limit) {
    const std::int64_t size[3] = {known.size.x, known.size.y, known.size.z};
    for (std::size_t a = 0; a < 3; ++a)
        if (d[a]) limit = std::min(limit, sign * d[a] > 0 ? size[a] - 1 - from[a] : from[a]);
    const std::int64_t stride = sign * known.at(d[0], d[1], d[2]);
    const float* weight = known.weight + known.at(from[0], from[1], from[2]);
    for (std::int64_t step = 1; step <= limit; ++step)
        if (weight[step * stride] > 0) return step;
    return 0;
}

Found sticks_mean(const Known& known, std::int64_t x, std::int64_t y, std::int64_t z, std::int64_t longest) {
    const std::int64_t from[3] = {x, y, z}, at = known.at(x, y, z);
    double sum = 0;
    std::int64_t count = 0, shortest = 0;  // squared length of the shortest sticks so far
    for (const auto& d : directions) {
        const std::int64_t square = d[0] * d[0] + d[1] * d[1] + d[2] * d[2], stride = known.at(d[0], d[1], d[2]);
        std::int64_t limit = longest;  // no longer than the shortest so far, either
        if (count)
            while (limit * limit * square > shortest) --limit;
        const std::int64_t f = walk(known, from, d, 1, limit - 1);
        if (!f) continue;
        const std::int64_t r = walk(known, from, d, -1, limit - f);
        if (!r) continue;
        const std::int64_t length = (f + r) * (f + r) * square;
        if (length < shortest) sum = 0, count = 0;
        shortest = length;
        const auto ahead = static_cast<double>(known.volume[at + f * stride]),
                   behind = static_cast<double>(known.volume[at - r * stride]);
        sum += (static_cast<double>(r) * ahead + static_cast<double>(f) * behind) / static_cast<double>(f + r);
        ++count;
    }
    return count ? Found{sum / static_cast<double>(count), true} : Found{};
}

std::vector<double> inverse_distances(std::int64_t radius) {
    std::vector<double> weights(static_cast<std::size_t>(3 * radius * radius + 1), 0.0);
    for (std::size_t d2 = 1; d2 < weights.size(); ++d2) weights[d2] = 1 / std::sqrt(static_cast<double>(d2));
    return weights;
}

std::vector<Offset> sorted_offsets(std::int64_t r) {
    std::vector<Offset> offsets;
    for (std::int64_t z = -r; z <= r; ++z)
        for (std::int64_t y = -r; y <= r; ++y)
            for (std::int64_t x = -r; x <= r; ++x)
                if (x || y || z) offsets.push_back({x, y, z, x * x + y * y + z * z});
    std::stable_sort(offsets.begin(), offsets.end(), [](const Offset& a, const Offset& b) { return a.d2 < b.d2; });
    return offsets;
}

// The window on its way from 3 voxels to its full size.
Window window_of(const FillOptions& options, const std::int64_t (&reach)[3], std::int64_t step, std::int64_t steps) {
    Window window{{0, 0, 0}, {0, 0, 0}, true};
    for (int a = 0; a < 3; ++a) {
        window.reach[a] = (reach[a] * step + steps - 1) / steps;
        window.sigma[a] = options.sigma[a] * static_cast<double>(2 * window.reach[a] + 1) / options.size[a];
    }
    return window;
}

// The methods whose windows are not separable: each hole by itself.
bool search(float* volume, const Known& known, const FillOptions& options, std::int64_t radius, const Bits& holes,
            std::uint8_t* filled, const Progress& progress) {
    const std::vector<Offset> offsets =
        options.method == Fill::nearest ? sorted_offsets(radius) : std::vector<Offset>{};
    const std::vector<double> inverse =
        options.method == Fill::inverse_distance ? inverse_distances(radius) : std::vector<double>{};
    auto value_of = [&](std::int64_t x, std::int64_t y, std::int64_t z) {
        if (options.method == Fill::nearest) return nearest_mean(known, x, y, z, offsets);
        if (options.method == Fill::sticks) return sticks_mean(known, x, y, z, options.size[0]);
        return window_mean(known, x, y, z, radius, inverse);
    };
    return parallel_for(
        known.size.y * known.size.z, options.threads,
        [&](std::int64_t row, int) {
            const std::int64_t y = row % known.size.y, z = row / known.size.y;
            for (std::int64_t w = 0; w < holes.words; ++w)
                for (std::uint64_t rest = holes.row(y, z)[w]; rest; rest &= rest - 1) {
                    const std::int64_t x = 64 * w + std::countr_zero(rest);
                    const Found found = value_of(x, y, z);
                    if (!found.any) continue;
                    volume[known.at(x, y, z)] = static_cast<float>(found.value);
                    filled[known.at(x, y, z)] = 1;
                }
        },
        progress);
}

}  // namespace

bool fill_holes(float* volume, const float* weight, const GridSize& size, const FillOptions& options,
                std::uint8_t* filled, const Progress& progress) {
    const Fill method = options.method;
    std::fill_n(filled, size.x * size.y * size.z, std::uint8_t{0});
    std::int64_t reach[3];
    for (int a = 0; a < 3; ++a) reach[a] = method == Fill::sticks ? options.size[0] - 1 : options.size[a] / 2;
    const Bits known = known_voxels(weight, size, options.threads);
    // A stick ends on known voxels at both sides: it needs no other rule.
    Bits holes = fillable(known, size, reach, options.extend || method == Fill::sticks, options.threads);
    if (method == Fill::mean || method == Fill::gaussian || method == Fill::diffusion) {
        Window window{{reach[0], reach[1], reach[2]}, {0, 0, 0}, false};
        if (method != Fill::mean) std::copy_n(options.sigma, 3, window.sigma);
        return convolve(volume, weight, size, window, options.threads, known, holes, filled, progress) &&
               (method != Fill::diffusion ||
                diffuse(volume, known, size, *std::max_element(reach, reach + 3), options.threads, filled, progress));
    }
    if (method == Fill::normalized_convolution) {
        const std::int64_t widest = *std::max_element(reach, reach + 3);
        for (std::int64_t r = 1; r <= widest; ++r)
            if (!convolve(volume, weight, size, window_of(options, reach, r, widest), options.threads, known, holes,
                          filled, progress))
                return false;
        return true;
    }
    return search(volume, {volume, weight, size}, options, reach[0], holes, filled, progress);
}

}  // namespace usfast
