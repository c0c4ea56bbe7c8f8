#include "nearest.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "envelope.hpp"
#include "search.hpp"

namespace usfast {

namespace {

// What a far element costs by searching row after row, and a voxel by the distance transform, in the same unit.
constexpr double kRowCost = 1.0, kTransformCost = 6.0;
constexpr std::int64_t kFewRows = 400, kManyRows = 60000;
constexpr std::int64_t kPlanes = 2;  // planes of one task, and of one tally

struct Place {
    std::int32_t z, y, x;
};

// The `count` nearest rows, complete up to some distance; `reach` is the square of that distance.
struct RowTable {
    std::vector<RowOffset> rows;
    double reach = std::numeric_limits<double>::infinity();
};

RowTable rows_by_distance(std::int64_t nz, std::int64_t ny, const std::array<double, 3>& spacing, std::int64_t count) {
    // All rows within a circle that holds about `count`, or every row of the volume.
    const double radius = std::sqrt(static_cast<double>(count) * spacing[0] * spacing[1] / 3.14159265358979);
    const auto most = [radius](std::int64_t n, double step) {
        return std::min(n - 1, static_cast<std::int64_t>(radius / step));
    };
    const std::int64_t rz = most(nz, spacing[0]), ry = most(ny, spacing[1]);
    const bool cut = rz < nz - 1 || ry < ny - 1;
    RowTable table;
    for (std::int64_t dz = -rz; dz <= rz; ++dz)
        for (std::int64_t dy = -ry; dy <= ry; ++dy) {
            const double z = static_cast<double>(dz) * spacing[0], y = static_cast<double>(dy) * spacing[1];
            const double squared = z * z + y * y;
            if (!cut || squared <= radius * radius)
                table.rows.push_back({static_cast<std::int32_t>(dz), static_cast<std::int32_t>(dy), squared});
        }
    std::sort(table.rows.begin(), table.rows.end(), [](const RowOffset& a, const RowOffset& b) {
        return a.squared != b.squared ? a.squared < b.squared : a.dz != b.dz ? a.dz < b.dz : a.dy < b.dy;
    });
    if (cut) table.reach = radius * radius;
    return table;
}

class Search {
  public:
    Search(const BitVolume& from, const BitVolume& to, const SurfaceOptions& options, const Weigh& weigh)
        : from_(from),
          to_(to),
          options_(options),
          weigh_(weigh),
          tasks_((from.nz + kPlanes - 1) / kPlanes),
          tally_(static_cast<std::size_t>(tasks_)),
          far_(tally_.size()) {}

    DistanceTable run(const Progress& progress) {
        search_near(progress);
        std::vector<Place> far;
        for (const auto& places : far_) far.insert(far.end(), places.begin(), places.end());
        if (!far.empty()) measure_far(far, progress);
        Tally all;
        for (const Tally& tally : tally_) all.add(tally);
        return all.table();
    }

  private:
    const BitVolume& from_;
    const BitVolume& to_;
    const SurfaceOptions& options_;
    const Weigh& weigh_;
    std::int64_t tasks_;
    std::vector<Tally> tally_;             // one a task
    std::vector<std::vector<Place>> far_;  // elements that a task has left over

    double weight(const Place& place) const { return weigh_ ? weigh_(place.z, place.y, place.x) : 1.0; }

    SearchTarget target(const RowTable& table, bool whole_rows) const {
        return {to_.row(0, 0),
                to_.nz,
                to_.ny,
                to_.pitch,
                options_.spacing[2],
                table.rows.data(),
                static_cast<std::int64_t>(table.rows.size()),
                table.reach,
                whole_rows};
    }

    void search_near(const Progress& progress) {
        const RowTable table = rows_by_distance(to_.nz, to_.ny, options_.spacing, kFewRows);
        const SearchTarget near = target(table, false);
        const SurfaceTable& kernels = surface_table();
        parallel_for(
            tasks_, options_.threads,
            [&](std::int64_t task, int) {
                std::vector<double> squared(static_cast<std::size_t>(64 * from_.row_words()));
                std::int64_t visits = 0;
                for (std::int64_t z = task * kPlanes; z < std::min(from_.nz, (task + 1) * kPlanes); ++z)
                    for (std::int64_t y = 0; y < from_.ny; ++y) {
                        kernels.search_row(near, z, y, from_.row(z, y), from_.row_words(), squared.data(), &visits);
                        sort_out(static_cast<std::size_t>(task), z, y, squared.data());
                    }
            },
            progress);
    }

    // Adds the distances of a row to the task's tally, or its places to those left over.
    void sort_out(std::size_t task, std::int64_t z, std::int64_t y, const double* squared) {
        const std::uint64_t* row = from_.row(z, y);
        for (std::int64_t w = 0; w < from_.row_words(); ++w)
            for (std::uint64_t left = row[w]; left; left &= left - 1, ++squared) {
                const Place place{static_cast<std::int32_t>(z), static_cast<std::int32_t>(y),
                                  static_cast<std::int32_t>(64 * w + first_bit(left))};
                if (*squared < 0)
                    far_[task].push_back(place);
                else
                    tally_[task].add(*squared, weight(place));
            }
    }

    // Searching on is cheap for a few elements, the transform for many: decided by the cost of a sample, counted in
    // rows and not in seconds, so that the way taken is always the same.
    void measure_far(const std::vector<Place>& far, const Progress& progress) {
        const RowTable table = rows_by_distance(to_.nz, to_.ny, options_.spacing, kManyRows);
        const SearchTarget wide = target(table, true);
        const std::size_t stride = std::max<std::size_t>(1, far.size() / 64);
        double rows = 0, sampled = 0;
        for (std::size_t i = 0; i < far.size(); i += stride) {
            std::int64_t visits = 0;
            if (search_one(wide, far[i], &visits) < 0) visits = std::numeric_limits<std::int32_t>::max();
            rows += static_cast<double>(visits), ++sampled;
        }
        const double voxels = static_cast<double>(to_.nz * to_.ny) * static_cast<double>(to_.nx);
        if (rows / sampled * static_cast<double>(far.size()) * kRowCost < voxels * kTransformCost)
            search_far(wide, far, progress);
        else
            transform(far, progress);
    }

    double search_one(const SearchTarget& wide, const Place& place, std::int64_t* visits) const {
        // One bit alone: the kernel takes rows.
        std::vector<std::uint64_t> only(static_cast<std::size_t>(from_.row_words()), 0);
        only[static_cast<std::size_t>(place.x / 64)] = std::uint64_t{1} << (place.x % 64);
        double squared = -1;
        surface_table().search_row(wide, place.z, place.y, only.data(), from_.row_words(), &squared, visits);
        return squared;
    }

    void search_far(const SearchTarget& wide, const std::vector<Place>& far, const Progress& progress) {
        std::vector<double> squared(far.size());
        constexpr std::size_t kBatch = 256;
        parallel_for(
            static_cast<std::int64_t>((far.size() + kBatch - 1) / kBatch), options_.threads,
            [&](std::int64_t task, int) {
                std::int64_t visits = 0;
                const std::size_t begin = static_cast<std::size_t>(task) * kBatch;
                for (std::size_t i = begin; i < std::min(far.size(), begin + kBatch); ++i)
                    squared[i] = search_one(wide, far[i], &visits);
            },
            progress);
        std::vector<Place> beyond;
        for (std::size_t i = 0; i < far.size(); ++i)
            if (squared[i] < 0)
                beyond.push_back(far[i]);
            else
                tally_[0].add(squared[i], weight(far[i]));
        if (!beyond.empty()) transform(beyond, progress);
    }

    // Distances of the places, by the exact distance transform of the strips of columns that hold any.
    void transform(const std::vector<Place>& places, const Progress& progress) {
        std::vector<std::vector<Place>> strips(static_cast<std::size_t>((to_.nx + kStrip - 1) / kStrip));
        for (const Place& place : places) strips[static_cast<std::size_t>(place.x / kStrip)].push_back(place);
        std::vector<Tally> tally(strips.size());
        parallel_for(
            static_cast<std::int64_t>(strips.size()), options_.threads,
            [&](std::int64_t strip, int) {
                const auto s = static_cast<std::size_t>(strip);
                if (!strips[s].empty()) transform_strip(strip * kStrip, strips[s], tally[s]);
            },
            progress);
        for (const Tally& part : tally) tally_[0].add(part);
    }

    void transform_strip(std::int64_t x0, const std::vector<Place>& places, Tally& tally) const {
        const auto column = [&](const Place& place) {
            return static_cast<std::size_t>(place.y) * kStrip + static_cast<std::size_t>(place.x - x0);
        };
        std::vector<double> squared(static_cast<std::size_t>(to_.nz * to_.ny * kStrip));
        Envelope envelope(std::max(to_.nz, to_.ny));
        plane_distances(to_, x0, options_.spacing, envelope, squared.data());
        std::vector<char> done(static_cast<std::size_t>(to_.ny * kStrip), 0);
        for (const Place& place : places) {
            const std::size_t c = column(place);
            if (!done[c]) envelope.apply(squared.data() + c, to_.nz, to_.ny * kStrip, options_.spacing[0]), done[c] = 1;
            const std::size_t plane = static_cast<std::size_t>(place.z * to_.ny) * kStrip;
            tally.add(squared[plane + c], weight(place));
        }
    }
};

bool any(const BitVolume& bits) {
    return std::any_of(bits.words.begin(), bits.words.end(), [](std::uint64_t word) { return word != 0; });
}

}  // namespace

DistanceTable nearest_distances(const BitVolume& from, const BitVolume& to, const SurfaceOptions& options,
                                const Weigh& weigh, const Progress& progress) {
    if (any(to)) return Search(from, to, options, weigh).run(progress);
    // Nothing to measure to: every element is infinitely far from it.
    DistanceTable table;
    double sum = 0;
    for (std::int64_t z = 0; z < from.nz; ++z)
        for (std::int64_t y = 0; y < from.ny; ++y)
            for (std::int64_t w = 0; w < from.row_words(); ++w)
                for (std::uint64_t left = from.row(z, y)[w]; left; left &= left - 1)
                    sum += weigh ? weigh(z, y, 64 * w + first_bit(left)) : 1.0;
    if (sum > 0) table = {{std::numeric_limits<double>::infinity()}, {sum}};
    return table;
}

}  // namespace usfast
