// Which scatterers lie around the image plane? The region is cut into tiles of beam space; each tile's cells of the
// world lattice are enumerated row by row between the planes of a box around the tile.
#include <algorithm>
#include <array>
#include <cmath>

#include "usfast/simulate.hpp"

namespace usfast {
namespace {

constexpr double tile_mm = 6.0;

using Vector = std::array<double, 3>;

double dot(const Vector& a, const Vector& b) { return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]; }

// Rigid probe pose: world = rotation columns (x, y, z) and origin.
struct Pose {
    Vector x, y, z, origin;
    explicit Pose(const double* m)
        : x{m[0], m[4], m[8]}, y{m[1], m[5], m[9]}, z{m[2], m[6], m[10]}, origin{m[3], m[7], m[11]} {}
};

struct Tile {
    double lateral_from, lateral_to, depth_from, depth_to;
    bool last_lateral;  // takes its upper end too
};

// low[r] <= dot(axis[r], world) <= high[r]
struct Box {
    std::array<Vector, 3> axis;
    Vector low, high;
};

struct Interval {
    std::int64_t first, last;  // inclusive; empty where last < first
};

// SplitMix64's output function (Steele et al. 2014) of a counter that differs for each cell.
std::uint64_t cell_hash(std::uint64_t seed, std::int64_t i, std::int64_t j, std::int64_t k) {
    std::uint64_t h = seed + static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15ULL +
                      static_cast<std::uint64_t>(j) * 0xD1B54A32D192ED03ULL +
                      static_cast<std::uint64_t>(k) * 0x8CB92BA72F3D8DD7ULL;
    h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9ULL;
    h = (h ^ (h >> 27)) * 0x94D049BB133111EBULL;
    return h ^ (h >> 31);
}

double unit(std::uint64_t bits) { return (static_cast<double>(bits & 0xFFFF) + 0.5) / 65536.0; }

class Search {
  public:
    Search(const BeamRegion& region, const double* probe_to_world, double pitch, std::uint64_t seed)
        // Seeds that follow each other must not give lattices that are shifted copies of one another.
        : region_(region), pose_(probe_to_world), pitch_(pitch), seed_(cell_hash(seed, 1, 2, 3)) {}

    Scatterers run() {
        reserve();
        const double end = region_.first_depth + region_.step * static_cast<double>(region_.rows);
        const auto bands = static_cast<std::int64_t>(std::ceil((end - region_.first_depth) / tile_mm));
        for (std::int64_t band = 0; band < bands; ++band) {
            const double from = region_.first_depth + static_cast<double>(band) * tile_mm;
            search_band(from, std::min(from + tile_mm, end));
        }
        return std::move(found_);
    }

  private:
    // Memory for as many as the region's volume holds, so that nothing is moved while they are found.
    void reserve() {
        double volume = 0;
        for (std::int64_t r = 0; r < region_.rows; ++r) {
            const double depth = region_.first_depth + (static_cast<double>(r) + 0.5) * region_.step;
            const double width = region_.lateral_limit[r] * (region_.radius > 0 ? region_.radius + depth : 1.0);
            volume += 4 * width * static_cast<double>(region_.elevation_limit[r]) * region_.step;
        }
        const auto expected = static_cast<std::size_t>(std::clamp(1.01 * volume / std::pow(pitch_, 3), 64.0, 1e8));
        found_.world.reserve(3 * expected);
        for (auto* values : {&found_.lateral, &found_.depth, &found_.elevation, &found_.amplitude})
            values->reserve(expected);
    }

    std::int64_t row(double depth) const {
        const auto r = static_cast<std::int64_t>((depth - region_.first_depth) / region_.step);
        return std::clamp<std::int64_t>(r, 0, region_.rows - 1);
    }

    void search_band(double from, double to) {
        const std::int64_t first = row(from), last = row(to);
        const double half = *std::max_element(region_.lateral_limit + first, region_.lateral_limit + last + 1);
        const double thick = *std::max_element(region_.elevation_limit + first, region_.elevation_limit + last + 1);
        const double width = 2 * half * (region_.radius > 0 ? region_.radius + to : 1.0);
        const auto tiles = std::max<std::int64_t>(1, static_cast<std::int64_t>(width / tile_mm));
        const double step = 2 * half / static_cast<double>(tiles);
        for (std::int64_t t = 0; t < tiles; ++t) {
            // Neighbours must agree on the border to the last bit.
            const double a = -half + step * static_cast<double>(t), b = -half + step * static_cast<double>(t + 1);
            const bool end = t + 1 == tiles;
            search_tile({a, end ? half : b, from, to, end}, thick);
        }
    }

    Box box_of(const Tile& tile, double thick) const {
        Vector across = pose_.x, along = pose_.y;
        Vector low{tile.lateral_from, tile.depth_from, -thick}, high{tile.lateral_to, tile.depth_to, thick};
        Vector centre = pose_.origin;
        if (region_.radius > 0) {
            const double middle = (tile.lateral_from + tile.lateral_to) / 2;
            const double half = (tile.lateral_to - tile.lateral_from) / 2;
            const double s = std::sin(middle), c = std::cos(middle), reach = region_.radius + tile.depth_to;
            for (std::size_t r = 0; r < 3; ++r) {
                across[r] = c * pose_.x[r] - s * pose_.y[r];
                along[r] = s * pose_.x[r] + c * pose_.y[r];
                centre[r] = pose_.origin[r] - region_.radius * pose_.y[r];
            }
            const double wide = reach * std::sin(std::min(half, 1.57));
            low = {-wide, (region_.radius + tile.depth_from) * std::cos(half), -thick};
            high = {wide, reach, thick};
        }
        Box box{{across, along, pose_.z}, low, high};
        for (std::size_t r = 0; r < 3; ++r) {
            const double shift = dot(box.axis[r], centre);
            box.low[r] += shift, box.high[r] += shift;
        }
        return box;
    }

    // Cells of the world lattice whose cube may meet the box: an interval along one axis for each row of cells.
    void search_tile(const Tile& tile, double thick) {
        const Box box = box_of(tile, thick);
        std::array<Interval, 3> range;
        Vector pad;
        for (std::size_t r = 0; r < 3; ++r) {
            pad[r] = pitch_ / 2 * (std::fabs(box.axis[r][0]) + std::fabs(box.axis[r][1]) + std::fabs(box.axis[r][2]));
            double middle = 0, reach = 0;  // of the box along world axis r
            for (std::size_t a = 0; a < 3; ++a) {
                middle += box.axis[a][r] * (box.low[a] + box.high[a]) / 2;
                reach += std::fabs(box.axis[a][r]) * (box.high[a] - box.low[a]) / 2;
            }
            range[r] = {static_cast<std::int64_t>(std::floor((middle - reach) / pitch_)),
                        static_cast<std::int64_t>(std::floor((middle + reach) / pitch_))};
        }
        for (std::int64_t k = range[2].first; k <= range[2].last; ++k)
            for (std::int64_t j = range[1].first; j <= range[1].last; ++j) {
                Interval row = range[0];
                for (std::size_t a = 0; a < 3; ++a) {
                    const Vector& n = box.axis[a];
                    const double base = pitch_ * (0.5 * n[0] + (static_cast<double>(j) + 0.5) * n[1] +
                                                  (static_cast<double>(k) + 0.5) * n[2]);
                    narrow(row, base, pitch_ * n[0], box.low[a] - pad[a], box.high[a] + pad[a]);
                }
                for (std::int64_t i = row.first; i <= row.last; ++i) take(i, j, k, tile);
            }
    }

    // Leave those i for which low <= base + slope i <= high.
    static void narrow(Interval& row, double base, double slope, double low, double high) {
        if (std::fabs(slope) < 1e-9) {
            if (base < low - 1e-3 || base > high + 1e-3) row.last = row.first - 1;
            return;
        }
        const double a = (low - base) / slope, b = (high - base) / slope;
        const double lowest = std::clamp(std::floor(std::min(a, b)), -1e15, 1e15);
        const double highest = std::clamp(std::ceil(std::max(a, b)), -1e15, 1e15);
        row.first = std::max(row.first, static_cast<std::int64_t>(lowest));
        row.last = std::min(row.last, static_cast<std::int64_t>(highest));
    }

    void take(std::int64_t i, std::int64_t j, std::int64_t k, const Tile& tile) {
        const std::uint64_t bits = cell_hash(seed_, i, j, k);
        const Vector world{pitch_ * (static_cast<double>(i) + unit(bits)),
                           pitch_ * (static_cast<double>(j) + unit(bits >> 16)),
                           pitch_ * (static_cast<double>(k) + unit(bits >> 32))};
        const Vector from_origin{world[0] - pose_.origin[0], world[1] - pose_.origin[1], world[2] - pose_.origin[2]};
        double lateral = dot(pose_.x, from_origin), depth = dot(pose_.y, from_origin);
        const double elevation = dot(pose_.z, from_origin);
        if (region_.radius > 0) {
            const double x = lateral, y = depth + region_.radius;
            lateral = std::atan2(x, y), depth = std::sqrt(x * x + y * y) - region_.radius;
        }
        if (!(depth >= tile.depth_from && depth < tile.depth_to && lateral >= tile.lateral_from)) return;
        if (!(lateral < tile.lateral_to || (tile.last_lateral && lateral <= tile.lateral_to))) return;
        const std::int64_t at = row(depth);
        if (std::fabs(elevation) > region_.elevation_limit[at] || std::fabs(lateral) > region_.lateral_limit[at])
            return;
        for (const double place : world) found_.world.push_back(static_cast<float>(place));
        found_.lateral.push_back(static_cast<float>(lateral));
        found_.depth.push_back(static_cast<float>(depth));
        found_.elevation.push_back(static_cast<float>(elevation));
        found_.amplitude.push_back((bits >> 48) & 1 ? 1.0F : -1.0F);
    }

    const BeamRegion& region_;
    Pose pose_;
    double pitch_;
    std::uint64_t seed_;
    Scatterers found_;
};

}  // namespace

Scatterers find_scatterers(const BeamRegion& region, const double* probe_to_world, double pitch, std::uint64_t seed) {
    return Search(region, probe_to_world, pitch, seed).run();
}

}  // namespace usfast
