#include "tile.hpp"

#include <algorithm>
#include <vector>

namespace usfast {
namespace {

// Everything that TilePlan points to.
struct Storage {
    std::vector<std::int16_t> nodes[tile_fronts], place[tile_fronts][2], edges[tile_fronts], own[tile_fronts];
    std::int16_t pixels[tile_inner];
    TilePlan plan;
};

class Builder {
  public:
    explicit Builder(Storage& s) : s_(s) {
        int ring = tile_inner;
        tile_ring_pixels([&](int row, int column) { number(row, column) = ring++; });
        std::int64_t size = 0;
        for (int depth = 4; depth >= 1; --depth) scratch_[depth] = size, size += 2 * update_size(ring_of[depth]);
        s_.plan.scratch_size = size;
        build(0, tile_side, 0, tile_side, 0, 0);
    }

  private:
    static constexpr int ring_of[] = {64, 48, 32, 24, 16};  // of the regions at each depth

    static std::int64_t update_size(std::int64_t n) { return n * (n - 1) / 2 + 2 * n; }

    int& number(int row, int column) { return number_[row + 1][column + 1]; }

    int build(int top, int bottom, int left, int right, int depth, int side) {
        const int tall = bottom - top, wide = right - left;
        const bool whole = tall == 3 && wide == 3, vertical = wide >= tall;
        const int middle = vertical ? (left + right) / 2 : (top + bottom) / 2;
        const int t = whole || vertical ? top : middle, b = whole || vertical ? bottom : middle + 1;
        const int l = whole || !vertical ? left : middle, r = whole || !vertical ? right : middle + 1;
        next_ -= (b - t) * (r - l);
        const int first = next_;
        for (int row = t, n = first; row < b; ++row)
            for (int column = l; column < r; ++column, ++n) {
                number(row, column) = n;
                s_.pixels[n] = static_cast<std::int16_t>(tile_side * row + column);
            }
        std::vector<std::int16_t> nodes;
        for (int row = top - 1; row <= bottom; ++row)
            for (int column = left - 1; column <= right; ++column)
                if (row < top || row == bottom || column < left || column == right)
                    nodes.push_back(static_cast<std::int16_t>(number(row, column)));
        std::sort(nodes.begin(), nodes.end());
        int child[2] = {-1, -1};
        if (!whole && vertical) {
            child[0] = build(top, bottom, left, middle, depth + 1, 0);
            child[1] = build(top, bottom, middle + 1, right, depth + 1, 1);
        } else if (!whole) {
            child[0] = build(top, middle, left, right, depth + 1, 0);
            child[1] = build(middle + 1, bottom, left, right, depth + 1, 1);
        }
        const int f = built_++;
        s_.nodes[f] = nodes;
        TileFront& front = s_.plan.fronts[f];
        front.pivots = (b - t) * (r - l), front.boundary = static_cast<int>(nodes.size()), front.first = first;
        front.left = child[0], front.right = child[1];
        front.factor = s_.plan.factor_size;
        for (int j = 0; j < front.pivots; ++j) s_.plan.factor_size += front.pivots + front.boundary - j + 1;
        front.update = depth == 0 ? 0 : scratch_[depth] + side * update_size(front.boundary);
        for (int k : {0, 1})
            if (child[k] >= 0)
                for (const int n : s_.nodes[child[k]])
                    s_.place[f][k].push_back(static_cast<std::int16_t>(row_of(front, nodes, n)));
        add_edges(f, t, b, l, r);
        front.nodes = s_.nodes[f].data(), front.own = s_.own[f].data();
        front.place[0] = s_.place[f][0].data(), front.place[1] = s_.place[f][1].data();
        front.edges = s_.edges[f].data(), front.edge_count = static_cast<int>(s_.edges[f].size() / 3);
        return f;
    }

    static int row_of(const TileFront& front, const std::vector<std::int16_t>& nodes, int n) {
        if (n < front.first + front.pivots) return n - front.first;
        return front.pivots + static_cast<int>(std::lower_bound(nodes.begin(), nodes.end(), n) - nodes.begin());
    }

    // Couplings of the pivots among themselves and to the boundary. Those to pixels below it in the order belong to
    // the fronts of these.
    void add_edges(int f, int t, int b, int l, int r) {
        const TileFront& front = s_.plan.fronts[f];
        constexpr int step[8][2] = {{0, 1}, {1, 0}, {1, 1}, {1, -1}, {0, -1}, {-1, 0}, {-1, -1}, {-1, 1}};
        for (int row = t; row < b; ++row)
            for (int column = l; column < r; ++column) {
                const int mine = number(row, column);
                s_.own[f].push_back(static_cast<std::int16_t>((row + 1) * tile_columns + column + 1));
                for (int k = 0; k < 8; ++k) {
                    const int other = number(row + step[k][0], column + step[k][1]);
                    if (other < mine) continue;
                    const int from_row = k < 4 ? row : row + step[k][0];
                    const int from_column = k < 4 ? column : column + step[k][1];
                    const int index = (k % 4 * tile_rows + from_row + 1) * tile_columns + from_column + 1;
                    for (const int value : {mine - front.first, row_of(front, s_.nodes[f], other), index})
                        s_.edges[f].push_back(static_cast<std::int16_t>(value));
                }
            }
    }

    Storage& s_;
    int number_[tile_side + 2][tile_side + 2] = {};
    int next_ = tile_inner, built_ = 0;
    std::int64_t scratch_[5] = {};
};

const Storage& storage() {
    static const Storage built = [] {
        Storage s{};
        Builder{s};
        return s;
    }();
    return built;
}

}  // namespace

const TilePlan& tile_plan() { return storage().plan; }

const std::int16_t* tile_pixels() { return storage().pixels; }

}  // namespace usfast
