#include "usfast/fill.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

namespace usfast {
namespace {

constexpr std::int64_t brick = 8;

struct Known {
    const float* volume;
    const float* weight;
    GridSize size;

    bool inside(std::int64_t x, std::int64_t y, std::int64_t z) const {
        return x >= 0 && x < size.x && y >= 0 && y < size.y && z >= 0 && z < size.z;
    }
    std::int64_t at(std::int64_t x, std::int64_t y, std::int64_t z) const { return (z * size.y + y) * size.x + x; }
};

// Which 8^3 bricks hold a known voxel: most holes lie far from all data and need no search.
class Bricks {
  public:
    Bricks(const Known& known, int threads)
        : nx_((known.size.x + brick - 1) / brick),
          ny_((known.size.y + brick - 1) / brick),
          nz_((known.size.z + brick - 1) / brick),
          occupied_(static_cast<std::size_t>(nx_ * ny_ * nz_), 0) {
        parallel_for(nz_, threads, [&](std::int64_t bz, int) {
            for (std::int64_t z = bz * brick; z < std::min((bz + 1) * brick, known.size.z); ++z)
                for (std::int64_t y = 0; y < known.size.y; ++y)
                    for (std::int64_t x = 0; x < known.size.x; ++x)
                        if (known.weight[known.at(x, y, z)] > 0) occupied_[index(x / brick, y / brick, bz)] = 1;
        });
    }

    // Is there a known voxel in a brick that meets the cube of this radius around brick (bx, by, bz)'s voxels?
    bool near(std::int64_t bx, std::int64_t by, std::int64_t bz, std::int64_t radius) const {
        const std::int64_t r = (radius + brick - 1) / brick;
        for (std::int64_t z = std::max<std::int64_t>(bz - r, 0); z <= std::min(bz + r, nz_ - 1); ++z)
            for (std::int64_t y = std::max<std::int64_t>(by - r, 0); y <= std::min(by + r, ny_ - 1); ++y)
                for (std::int64_t x = std::max<std::int64_t>(bx - r, 0); x <= std::min(bx + r, nx_ - 1); ++x)
                    if (occupied_[index(x, y, z)]) return true;
        return false;
    }

  private:
    std::size_t index(std::int64_t x, std::int64_t y, std::int64_t z) const {
        return static_cast<std::size_t>((z * ny_ + y) * nx_ + x);
    }
    std::int64_t nx_, ny_, nz_;
    std::vector<std::uint8_t> occupied_;
};

struct Found {
    double value = 0;
    bool any = false;
};

// Mean of the known voxels in a cube, weighted by a table over squared distance and, where asked, by certainty.
Found window_mean(const Known& known, std::int64_t x, std::int64_t y, std::int64_t z, std::int64_t radius,
                  const std::vector<double>& by_distance, bool certainty) {
    double sum = 0, total = 0;
    const std::int64_t x0 = std::max<std::int64_t>(x - radius, 0), x1 = std::min(x + radius, known.size.x - 1);
    const std::int64_t y0 = std::max<std::int64_t>(y - radius, 0), y1 = std::min(y + radius, known.size.y - 1);
    const std::int64_t z0 = std::max<std::int64_t>(z - radius, 0), z1 = std::min(z + radius, known.size.z - 1);
    for (std::int64_t k = z0; k <= z1; ++k)
        for (std::int64_t j = y0; j <= y1; ++j) {
            const std::int64_t row = known.at(0, j, k), d2 = (k - z) * (k - z) + (j - y) * (j - y);
            for (std::int64_t i = x0; i <= x1; ++i) {
                const auto c = static_cast<double>(known.weight[row + i]);
                if (!(c > 0)) continue;
                const double w = by_distance[static_cast<std::size_t>(d2 + (i - x) * (i - x))] * (certainty ? c : 1.0);
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

// First known voxel from (x, y, z) along +-d within `limit` steps; 0 steps = none.
std::int64_t walk(const Known& known, std::int64_t x, std::int64_t y, std::int64_t z, const std::array<int, 3>& d,
                  int sign, std::int64_t limit, double& value) {
    for (std::int64_t step = 1; step <= limit; ++step) {
        const std::int64_t i = x + sign * step * d[0], j = y + sign * step * d[1], k = z + sign * step * d[2];
        if (!known.inside(i, j, k)) return 0;
        if (known.weight[known.at(i, j, k)] > 0) {
            value = static_cast<double>(known.volume[known.at(i, j, k)]);
            return step;
        }
    }
    return 0;
}

Found sticks_mean(const Known& known, std::int64_t x, std::int64_t y, std::int64_t z, std::int64_t longest) {
    double sum = 0;
    std::int64_t count = 0, shortest = 0;  // squared length of the shortest sticks so far
    for (const auto& d : directions) {
        double ahead = 0, behind = 0;
        const std::int64_t f = walk(known, x, y, z, d, 1, longest - 1, ahead);
        if (!f) continue;
        const std::int64_t r = walk(known, x, y, z, d, -1, longest - f, behind);
        if (!r) continue;
        const std::int64_t length = (f + r) * (f + r) * (d[0] * d[0] + d[1] * d[1] + d[2] * d[2]);
        if (count && length > shortest) continue;
        if (length < shortest) sum = 0, count = 0;
        shortest = length;
        sum += (static_cast<double>(r) * ahead + static_cast<double>(f) * behind) / static_cast<double>(f + r);
        ++count;
    }
    return count ? Found{sum / static_cast<double>(count), true} : Found{};
}

std::vector<double> distance_weights(std::int64_t radius, Fill method, double sigma) {
    std::vector<double> weights(static_cast<std::size_t>(3 * radius * radius + 1), 1.0);
    for (std::size_t d2 = 0; d2 < weights.size(); ++d2) {
        const auto square = static_cast<double>(d2);
        if (method == Fill::inverse_distance) weights[d2] = d2 ? 1 / std::sqrt(square) : 0;
        if (method == Fill::gaussian || method == Fill::normalized_convolution)
            weights[d2] = std::exp(-square / (2 * sigma * sigma));
    }
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

}  // namespace

bool fill_holes(const float* volume, const float* weight, const GridSize& size, const FillOptions& options, float* out,
                std::uint8_t* mask, const Progress& progress) {
    const Known known{volume, weight, size};
    const std::int64_t radius = options.method == Fill::sticks ? options.size - 1 : options.size / 2;
    const Bricks bricks(known, options.threads);
    const std::vector<Offset> offsets =
        options.method == Fill::nearest ? sorted_offsets(radius) : std::vector<Offset>{};
    // Weights of each window, smallest first: only normalized convolution has more than one.
    std::vector<std::vector<double>> windows;
    if (options.method == Fill::normalized_convolution)
        for (std::int64_t r = 1; r <= radius; ++r)
            windows.push_back(
                distance_weights(r, options.method, options.sigma * static_cast<double>(2 * r + 1) / options.size));
    else
        windows.push_back(distance_weights(radius, options.method, options.sigma));

    auto fill = [&](std::int64_t x, std::int64_t y, std::int64_t z) {
        if (options.method == Fill::nearest) return nearest_mean(known, x, y, z, offsets);
        if (options.method == Fill::sticks) return sticks_mean(known, x, y, z, options.size);
        if (options.method != Fill::normalized_convolution)
            return window_mean(known, x, y, z, radius, windows[0], false);
        for (std::int64_t r = 1; r <= radius; ++r)
            if (const Found found = window_mean(known, x, y, z, r, windows[static_cast<std::size_t>(r - 1)], true);
                found.any)
                return found;
        return Found{};
    };
    return parallel_for(
        size.z, options.threads,
        [&](std::int64_t z, int) {
            for (std::int64_t y = 0; y < size.y; ++y)
                for (std::int64_t first = 0; first < size.x; first += brick) {
                    const std::int64_t last = std::min(first + brick, size.x), row = known.at(0, y, z);
                    std::copy(volume + row + first, volume + row + last, out + row + first);
                    std::fill(mask + row + first, mask + row + last, std::uint8_t{0});
                    bool searched = false;
                    for (std::int64_t x = first; x < last; ++x) {
                        if (weight[row + x] > 0) continue;
                        if (!searched && !bricks.near(first / brick, y / brick, z / brick, radius)) break;
                        searched = true;
                        if (const Found found = fill(x, y, z); found.any) {
                            out[row + x] = static_cast<float>(found.value);
                            mask[row + x] = 1;
                        }
                    }
                }
        },
        progress);
}

}  // namespace usfast
