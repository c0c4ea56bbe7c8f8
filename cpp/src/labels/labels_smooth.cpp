// Gaussian smoothing of the memberships of voxels, tile by tile: far from a border there is nothing to smooth.
#include <algorithm>
#include <cmath>

#include "usfast/labels.hpp"

namespace usfast {
namespace {

constexpr std::array<std::int64_t, 3> kTile{16, 16, 64};

struct Tile {
    std::array<std::int64_t, 3> begin, end;  // voxels to be written
};

// A tile with its margin: codes, and one membership at a time.
class Window {
  public:
    Window(const std::uint8_t* codes, const std::array<std::int64_t, 3>& shape, const Smoothing& smoothing)
        : codes_(codes),
          shape_(shape),
          smoothing_(smoothing),
          radius_(static_cast<std::int64_t>(smoothing.kernel.size()) / 2) {}

    // Copies the codes around the tile; voxels beyond the volume lie outside the hull. Returns which codes occur.
    void load(const Tile& tile) {
        tile_ = tile;
        for (std::size_t a = 0; a < 3; ++a) {
            margin_[a] = a == 0 && smoothing_.planar ? 0 : radius_;
            size_[a] = tile.end[a] - tile.begin[a] + 2 * margin_[a];
        }
        local_.assign(static_cast<std::size_t>(size_[0] * size_[1] * size_[2]), kOutside);
        std::fill(std::begin(occurs_), std::end(occurs_), false);
        std::array<std::int64_t, 3> low, high;
        for (std::size_t a = 0; a < 3; ++a) {
            low[a] = std::max<std::int64_t>(tile.begin[a] - margin_[a], 0);
            high[a] = std::min(tile.end[a] + margin_[a], shape_[a]);
        }
        for (std::int64_t z = low[0]; z < high[0]; ++z)
            for (std::int64_t y = low[1]; y < high[1]; ++y) {
                const std::uint8_t* from = codes_ + (z * shape_[1] + y) * shape_[2] + low[2];
                std::uint8_t* to =
                    local_.data() +
                    ((z - tile.begin[0] + margin_[0]) * size_[1] + y - tile.begin[1] + margin_[1]) * size_[2] + low[2] -
                    tile.begin[2] + margin_[2];
                for (std::int64_t x = 0; x < high[2] - low[2]; ++x) to[x] = from[x], occurs_[from[x]] = true;
            }
    }

    bool occurs(std::int64_t code) const { return occurs_[code]; }

    // Smoothed membership of a code at the tile's own voxels.
    void membership(std::uint8_t code, std::vector<float>& out) {
        a_.resize(local_.size());
        for (std::size_t p = 0; p < local_.size(); ++p) a_[p] = local_[p] == code ? 1.0F : 0.0F;
        std::array<std::int64_t, 3> size = size_;
        for (std::size_t axis = 0; axis < 3; ++axis) {
            if (!margin_[axis]) continue;
            pass(axis, size);
            a_.swap(b_);
        }
        out.assign(a_.begin(), a_.begin() + static_cast<std::ptrdiff_t>(size[0] * size[1] * size[2]));
    }

    std::uint8_t own(std::int64_t z, std::int64_t y, std::int64_t x) const {
        return local_[static_cast<std::size_t>(((z + margin_[0]) * size_[1] + y + margin_[1]) * size_[2] + x +
                                               margin_[2])];
    }

  private:
    // One axis: b = kernel * a, shorter by twice the radius there.
    void pass(std::size_t axis, std::array<std::int64_t, 3>& size) {
        const std::int64_t taps = 2 * radius_ + 1;
        const std::int64_t stride = axis == 0 ? size[1] * size[2] : axis == 1 ? size[2] : 1;
        const std::array<std::int64_t, 3> from = size;
        size[axis] -= 2 * radius_;
        b_.resize(static_cast<std::size_t>(size[0] * size[1] * size[2]));
        for (std::int64_t z = 0; z < size[0]; ++z)
            for (std::int64_t y = 0; y < size[1]; ++y) {
                const float* source = a_.data() + (z * from[1] + y) * from[2];
                float* target = b_.data() + (z * size[1] + y) * size[2];
                for (std::int64_t x = 0; x < size[2]; ++x) target[x] = smoothing_.kernel[0] * source[x];
                for (std::int64_t t = 1; t < taps; ++t) {
                    const float k = smoothing_.kernel[static_cast<std::size_t>(t)];
                    const float* shifted = source + t * stride;
                    for (std::int64_t x = 0; x < size[2]; ++x) target[x] += k * shifted[x];
                }
            }
    }

    const std::uint8_t* codes_;
    const std::array<std::int64_t, 3>& shape_;
    const Smoothing& smoothing_;
    std::int64_t radius_;
    Tile tile_{};
    std::array<std::int64_t, 3> margin_{}, size_{};
    std::vector<std::uint8_t> local_;
    bool occurs_[256] = {};
    std::vector<float> a_, b_;
};

struct Worker {
    Window window;
    std::vector<float> sum, member, best, second;
    std::vector<std::uint8_t> which;
    std::vector<std::vector<float>> kept;  // memberships of the structures in the tile, only where leads are counted
    std::vector<std::int64_t> lead;
};

std::int64_t bin(float value) {
    const auto place = static_cast<std::int64_t>(std::floor((value + 2.0F) * static_cast<float>(kBins) / 4.0F));
    return std::clamp<std::int64_t>(place, 0, kBins - 1);
}

// Compares one class after another; background, which stands for one half, comes first and wins ties.
void compare(Worker& w, const std::vector<std::uint8_t>& classes, const Smoothing& smoothing) {
    const std::size_t count = w.sum.size();
    w.best.assign(count, -4.0F);
    w.second.assign(count, -4.0F);
    w.which.assign(count, 0);
    for (std::size_t n = 0; n < classes.size(); ++n) {
        const std::uint8_t code = classes[n];
        const float bonus = code ? smoothing.bonus[code - 1] : 0.0F;
        std::vector<float>& member = w.kept[n];
        for (std::size_t p = 0; p < count; ++p) {
            const float score = code == 0 ? 0.5F : w.sum[p] > 0 ? member[p] / w.sum[p] + bonus : 0.0F;
            member[p] = score;
            const bool wins = score > w.best[p];
            w.second[p] = wins ? w.best[p] : std::max(w.second[p], score);
            w.which[p] = wins ? code : w.which[p];
            w.best[p] = wins ? score : w.best[p];
        }
    }
}

void smooth_tile(Worker& w, const Tile& tile, const std::array<std::int64_t, 3>& shape, const Smoothing& smoothing,
                 std::uint8_t* out, bool count) {
    w.window.load(tile);
    std::vector<std::uint8_t> classes;
    for (std::int64_t code = 0; code <= smoothing.structures; ++code)
        if (code == 0 || w.window.occurs(code)) classes.push_back(static_cast<std::uint8_t>(code));
    const std::array<std::int64_t, 3> size{tile.end[0] - tile.begin[0], tile.end[1] - tile.begin[1],
                                           tile.end[2] - tile.begin[2]};
    const bool plain =
        classes.size() == 1 || (classes.size() == 2 && !w.window.occurs(0) && !w.window.occurs(kOutside));
    if (!plain) {
        w.sum.assign(static_cast<std::size_t>(size[0] * size[1] * size[2]), 0.0F);
        if (w.kept.size() < classes.size()) w.kept.resize(classes.size());
        for (std::size_t n = 0; n < classes.size(); ++n) {
            w.window.membership(classes[n], w.kept[n]);
            for (std::size_t p = 0; p < w.sum.size(); ++p) w.sum[p] += w.kept[n][p];
        }
        compare(w, classes, smoothing);
    }
    std::size_t p = 0;
    for (std::int64_t z = 0; z < size[0]; ++z)
        for (std::int64_t y = 0; y < size[1]; ++y) {
            std::uint8_t* line = out + ((z + tile.begin[0]) * shape[1] + y + tile.begin[1]) * shape[2] + tile.begin[2];
            for (std::int64_t x = 0; x < size[2]; ++x, ++p) {
                const bool inside = w.window.own(z, y, x) != kOutside;
                line[x] = !inside ? 0 : plain ? classes.back() : w.which[p];
                if (!count || !inside) continue;
                if (plain) {
                    if (classes.back())
                        ++w.lead[static_cast<std::size_t>((classes.back() - 1) * kBins +
                                                          bin(1.0F + smoothing.bonus[classes.back() - 1]))];
                    continue;
                }
                for (std::size_t n = 1; n < classes.size(); ++n) {
                    const bool first = w.which[p] == classes[n];
                    const float by = w.kept[n][p] - (first ? w.second[p] : w.best[p]);
                    ++w.lead[static_cast<std::size_t>((classes[n] - 1) * kBins + bin(by))];
                }
            }
        }
}

}  // namespace

bool smooth_codes(const std::uint8_t* codes, const std::array<std::int64_t, 3>& shape, const Smoothing& smoothing,
                  std::uint8_t* out, std::int64_t* lead, const Progress& progress) {
    std::array<std::int64_t, 3> tiles;
    for (std::size_t a = 0; a < 3; ++a) tiles[a] = (shape[a] + kTile[a] - 1) / kTile[a];
    const std::int64_t counters = lead ? smoothing.structures * kBins : 0;
    std::vector<Worker> workers;
    for (int n = 0; n < smoothing.threads; ++n)
        workers.push_back({Window(codes, shape, smoothing),
                           {},
                           {},
                           {},
                           {},
                           {},
                           {},
                           std::vector<std::int64_t>(static_cast<std::size_t>(counters))});
    const bool done = parallel_for(
        tiles[0] * tiles[1], smoothing.threads,
        [&](std::int64_t task, int worker) {
            for (std::int64_t t = 0; t < tiles[2]; ++t) {
                const std::array<std::int64_t, 3> at{task / tiles[1], task % tiles[1], t};
                Tile tile;
                for (std::size_t a = 0; a < 3; ++a) {
                    tile.begin[a] = at[a] * kTile[a];
                    tile.end[a] = std::min(tile.begin[a] + kTile[a], shape[a]);
                }
                smooth_tile(workers[static_cast<std::size_t>(worker)], tile, shape, smoothing, out, lead != nullptr);
            }
        },
        progress);
    for (std::int64_t c = 0; c < counters; ++c) {
        lead[c] = 0;
        for (const Worker& worker : workers) lead[c] += worker.lead[static_cast<std::size_t>(c)];
    }
    return done;
}

}  // namespace usfast
