#include "dissection.hpp"

#include <algorithm>

#include "kernel.hpp"
#include "tile.hpp"

namespace usfast {
namespace {

constexpr std::int64_t pitch = tile_side + 1;

enum { top, bottom, left, right };

struct Region {
    std::int64_t tile[4];  // [top, bottom) x [left, right) in tiles
    Line side[4];
};

class Builder {
  public:
    explicit Builder(Dissection& d) : d_(d) {
        const std::int64_t rows = d.height / pitch + 1, columns = d.width / pitch + 1;
        // Numbers run out from the root downwards; each line of pixels takes its share.
        next_ = d.height * d.width;
        d.root = build(Region{{0, rows, 0, columns}, {}}, 0);
        const std::int64_t unused = next_;
        for (Step& s : d.steps) {
            s.line.base -= unused, s.across[0].base -= unused, s.across[1].base -= unused;
            for (Interval& i : s.boundary) i.first -= unused;
        }
        for (Tile& t : d.tiles)
            for (auto& n : t.ring)
                if (n >= 0) n -= unused;
        d.numbered = d.height * d.width - unused;
    }

  private:
    std::int64_t build(const Region& r, int depth) {
        const std::int64_t tall = r.tile[bottom] - r.tile[top], wide = r.tile[right] - r.tile[left];
        if (tall == 1 && wide == 1) return leaf(r);
        Step step;
        step.depth = depth;
        step.line.there = true, step.line.vertical = wide >= tall;
        const int from = step.line.vertical ? left : top, other = step.line.vertical ? top : left;
        const std::int64_t middle = (r.tile[from] + r.tile[from + 1]) / 2;
        const std::int64_t along = step.line.vertical ? d_.height : d_.width;
        step.line.at = pitch * middle - 1;
        step.line.low = std::min(pitch * r.tile[other], along);
        step.line.high = std::min(pitch * r.tile[other + 1] - 1, along);
        next_ -= step.line.high - step.line.low;
        step.line.base = next_;
        step.across[0] = r.side[other], step.across[1] = r.side[other + 1];
        surround(r, step);
        Region part[2] = {r, r};
        part[0].tile[from + 1] = part[1].tile[from] = middle;
        part[0].side[from + 1] = part[1].side[from] = step.line;
        for (int k : {0, 1}) step.child[k] = build(part[k], depth + 1);
        finish(step);
        d_.steps.push_back(std::move(step));
        return static_cast<std::int64_t>(d_.steps.size()) - 1;
    }

    // Pixels around the region, each on the one side that runs through it.
    void surround(const Region& r, Step& step) const {
        for (int s : {top, bottom, left, right}) {
            const Line& line = r.side[s];
            if (!line.there) continue;
            const int from = line.vertical ? top : left;
            const std::int64_t low = std::max(pitch * r.tile[from] - 1, line.low);
            const std::int64_t high = std::min(pitch * r.tile[from + 1], line.high);
            if (high <= low) continue;
            step.boundary.push_back({line.number(low), high - low});
            step.boundary_count += high - low;
        }
        std::sort(step.boundary.begin(), step.boundary.end(),
                  [](const Interval& a, const Interval& b) { return a.first < b.first; });
    }

    void finish(Step& step) {
        const std::int64_t pivots = step.pivots();
        const std::int64_t rows = front_round(front_round(pivots, 16) + step.boundary_count + 2, 16);
        step.factor = d_.factor_size;
        d_.factor_size += panels_size(rows, pivots);
        d_.largest_rows = std::max(d_.largest_rows, rows);
    }

    std::int64_t leaf(const Region& r) {
        Tile tile;
        tile.row = pitch * r.tile[top], tile.column = pitch * r.tile[left];
        tile.rows = std::clamp<std::int64_t>(d_.height - tile.row, 0, tile_side);
        tile.columns = std::clamp<std::int64_t>(d_.width - tile.column, 0, tile_side);
        tile.ring.reserve(tile_ring);
        auto add = [&](std::int64_t row, std::int64_t column) {
            for (const Line& line : r.side) {
                const std::int64_t across = line.vertical ? column : row, along = line.vertical ? row : column;
                if (line.there && line.at == across && line.low <= along && along < line.high) {
                    tile.ring.push_back(line.number(along));
                    return;
                }
            }
            tile.ring.push_back(-1);
        };
        tile_ring_pixels([&](int row, int column) { add(tile.row + row, tile.column + column); });
        d_.tiles.push_back(std::move(tile));
        return -static_cast<std::int64_t>(d_.tiles.size());
    }

    Dissection& d_;
    std::int64_t next_ = 0;
};

}  // namespace

Dissection dissect(std::int64_t height, std::int64_t width) {
    Dissection d;
    d.height = height, d.width = width;
    Builder{d};
    return d;
}

}  // namespace usfast
