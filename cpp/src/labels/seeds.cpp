#include "usfast/seeds.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <memory>
#include <new>

#include "seeds_brick.hpp"

namespace usfast {
namespace {

// The volume is searched brick by brick, each in cache, the cheapest bricks first; a brick whose border changed wakes
// its neighbours. Costs only fall and labels at a cost only get smaller, so whatever the order it ends at the one
// assignment that no path improves. Bricks of one colour (parity of their place along each axis) do not touch, so they
// are searched side by side.
template <typename Pixel>
class Grower {
  public:
    Grower(const Pixel* image, const std::uint8_t* seeds, const std::uint8_t* mask, const GrowOptions& options,
           std::uint8_t* label, std::uint32_t* cost)
        : image_(image), seeds_(seeds), mask_(mask), o_(options), label_(label), cost_(cost) {
        for (std::size_t axis = 0; axis < 3; ++axis) bricks_[axis] = (o_.shape[axis] + brick_side - 1) / brick_side;
        const auto count = static_cast<std::size_t>(bricks_[0] * bricks_[1] * bricks_[2]);
        due_.assign(count, unreached);
        visited_.assign(count, 0);
        neighbours_ = neighbours_of(o_);
        blocks_.resize(static_cast<std::size_t>(o_.threads));
    }

    bool run(const Progress& progress) {
        if (!start(progress)) return false;
        const Progress report = [&](std::int64_t, std::int64_t) { return !progress || progress(reached_, open_); };
        const std::uint64_t band = brick_cost();
        for (;;) {
            const std::uint32_t first = *std::min_element(due_.begin(), due_.end());
            if (first == unreached) break;
            for (int colour = 0; colour < 8; ++colour)
                if (!visit(colour, first + band, report)) return false;
        }
        return !progress || progress(open_, open_);
    }

  private:
    struct Brick {
        std::array<std::int64_t, 3> place;
        std::size_t index;
        std::array<std::uint32_t, 27> changed;  // cheapest change next to each neighbouring brick
    };

    std::size_t voxel(std::int64_t z, std::int64_t y, std::int64_t x) const {
        return static_cast<std::size_t>((z * o_.shape[1] + y) * o_.shape[2] + x);
    }
    std::size_t brick(std::int64_t z, std::int64_t y, std::int64_t x) const {
        return static_cast<std::size_t>((z * bricks_[1] + y) * bricks_[2] + x);
    }

    // Nothing is reached but the seeds; their bricks are due.
    bool start(const Progress& progress) {
        std::atomic<std::int64_t> open{0};
        const bool done = parallel_for(
            bricks_[0], o_.threads,
            [&](std::int64_t bz, int) {
                std::int64_t here = 0;
                for (std::int64_t z = bz * brick_side; z < std::min((bz + 1) * brick_side, o_.shape[0]); ++z)
                    for (std::int64_t y = 0; y < o_.shape[1]; ++y)
                        for (std::int64_t x = 0; x < o_.shape[2]; ++x) {
                            const std::size_t at = voxel(z, y, x);
                            const bool inside = !mask_ || mask_[at], seed = inside && seeds_[at];
                            here += inside;
                            label_[at] = seed ? seeds_[at] : 0;
                            cost_[at] = seed ? 0 : unreached;
                            if (seed) due_[brick(bz, y / brick_side, x / brick_side)] = 0;
                        }
                open += here;
            },
            [&](std::int64_t, std::int64_t) { return !progress || progress(0, 1); });
        open_ = open;
        return done;
    }

    // About a third of what it costs to cross a brick: bricks due within that of the cheapest are searched in one
    // round. Any number gives the same result; a larger one searches bricks too early and often, a smaller one leaves
    // threads without work.
    std::uint64_t brick_cost() const {
        double sum = 0, count = 0;
        for (std::int64_t z = brick_side / 2; z < o_.shape[0]; z += brick_side)
            for (std::int64_t y = brick_side / 2; y < o_.shape[1]; y += brick_side)
                for (std::int64_t x = 1; x < o_.shape[2]; ++x, ++count)
                    sum += std::abs(static_cast<double>(level(voxel(z, y, x))) - level(voxel(z, y, x - 1)));
        const double step = std::max({o_.step[0], o_.step[1], o_.step[2]});
        return static_cast<std::uint64_t>(brick_side * ((count > 0 ? sum / count : 0) / 6 + step / 3)) + 1;
    }

    std::uint16_t level(std::size_t at) const {
        const double value = (static_cast<double>(image_[at]) - o_.low) * o_.scale;
        return static_cast<std::uint16_t>(value > 0 ? std::min(value + 0.5, 65535.0) : 0);  // NaN, off the mask: 0
    }

    bool visit(int colour, std::uint64_t limit, const Progress& report) {
        std::vector<Brick> list;
        for (std::int64_t z = colour / 4; z < bricks_[0]; z += 2)
            for (std::int64_t y = colour / 2 % 2; y < bricks_[1]; y += 2)
                for (std::int64_t x = colour % 2; x < bricks_[2]; x += 2)
                    if (const std::size_t at = brick(z, y, x); due_[at] != unreached && due_[at] <= limit)
                        list.push_back({{z, y, x}, at, {}});
        if (list.empty()) return true;
        std::atomic<std::int64_t> reached{0};
        std::atomic<bool> failed{false};
        const bool done = parallel_for(
            static_cast<std::int64_t>(list.size()), o_.threads,
            [&](std::int64_t task, int worker) {
                try {
                    reached += search(list[static_cast<std::size_t>(task)], blocks_[static_cast<std::size_t>(worker)]);
                } catch (const std::bad_alloc&) {
                    failed = true;
                }
            },
            report);
        if (failed) throw std::bad_alloc();
        if (!done) return false;
        reached_ += reached;
        for (const Brick& b : list) due_[b.index] = unreached, visited_[b.index] = 1;
        for (const Brick& b : list) wake(b);
        return true;
    }

    void wake(const Brick& b) {
        for (int n = 0; n < 27; ++n) {
            const std::int64_t z = b.place[0] + n / 9 - 1, y = b.place[1] + n / 3 % 3 - 1, x = b.place[2] + n % 3 - 1;
            if (n == 13 || z < 0 || y < 0 || x < 0 || z >= bricks_[0] || y >= bricks_[1] || x >= bricks_[2]) continue;
            std::uint32_t& due = due_[brick(z, y, x)];
            due = std::min(due, b.changed[static_cast<std::size_t>(n)]);
        }
    }

    // Returns how many voxels were reached for the first time.
    std::int64_t search(Brick& b, std::unique_ptr<Block>& own) {
        if (!own) own = std::make_unique<Block>();
        Block& block = *own;
        block.queue.clear();
        load(b, block);
        block.pull(neighbours_);
        if (!visited_[b.index])
            for (std::uint32_t z = 1; z <= brick_side; ++z)
                for (std::uint32_t y = 1; y <= brick_side; ++y)
                    for (std::uint32_t x = 1; x <= brick_side; ++x)
                        if (const std::uint32_t at = z * slab_step + y * row_step + x;
                            !block.open[at] && block.cost[at] == 0)
                            block.queue.push(0, at);
        block.search(neighbours_);
        return store(b, block);
    }

    void load(const Brick& b, Block& block) const {
        std::fill(block.open.begin(), block.open.end(), std::uint8_t{0});
        std::fill(block.cost.begin(), block.cost.end(), unreached);
        const std::int64_t z0 = b.place[0] * brick_side - 1, y0 = b.place[1] * brick_side - 1,
                           x0 = b.place[2] * brick_side - 1;
        const std::int64_t first = std::max<std::int64_t>(-x0, 0), last = std::min<std::int64_t>(32, o_.shape[2] - x0);
        for (std::int64_t z = 0; z < 32; ++z)
            for (std::int64_t y = 0; y < 32; ++y) {
                if (z0 + z < 0 || z0 + z >= o_.shape[0] || y0 + y < 0 || y0 + y >= o_.shape[1]) continue;
                const bool inner = z > 0 && z < 31 && y > 0 && y < 31;
                for (std::int64_t x = first; x < last; ++x) {
                    const std::size_t from = voxel(z0 + z, y0 + y, x0 + x);
                    const auto to = static_cast<std::size_t>(z * slab_step + y * row_step + x);
                    block.level[to] = level(from);
                    block.label[to] = label_[from];
                    block.cost[to] = cost_[from];
                    block.open[to] = inner && x > 0 && x < 31 && !seeds_[from] && (!mask_ || mask_[from]);
                }
            }
    }

    std::int64_t store(Brick& b, const Block& block) {
        b.changed.fill(unreached);
        std::int64_t reached = 0;
        const std::int64_t z0 = b.place[0] * brick_side - 1, y0 = b.place[1] * brick_side - 1,
                           x0 = b.place[2] * brick_side - 1;
        for (std::int64_t z = 1; z <= std::min(brick_side, o_.shape[0] - z0 - 1); ++z)
            for (std::int64_t y = 1; y <= std::min(brick_side, o_.shape[1] - y0 - 1); ++y)
                for (std::int64_t x = 1; x <= std::min(brick_side, o_.shape[2] - x0 - 1); ++x) {
                    const std::size_t to = voxel(z0 + z, y0 + y, x0 + x);
                    const auto from = static_cast<std::size_t>(z * slab_step + y * row_step + x);
                    if (!block.open[from] && !(block.cost[from] == 0 && !visited_[b.index])) continue;
                    const std::uint32_t now = block.cost[from];
                    if (block.open[from]) {
                        if (now == cost_[to] && block.label[from] == label_[to]) continue;
                        reached += cost_[to] == unreached;
                        cost_[to] = now;
                        label_[to] = block.label[from];
                    } else {
                        ++reached;  // a seed, on the first visit
                    }
                    note(b, z, y, x, now);
                }
        return reached;
    }

    // A voxel of the shell changed: the neighbouring bricks that it touches must look at it.
    static void note(Brick& b, std::int64_t z, std::int64_t y, std::int64_t x, std::uint32_t now) {
        const std::array<int, 3> side{(z == brick_side) - (z == 1), (y == brick_side) - (y == 1),
                                      (x == brick_side) - (x == 1)};
        for (int pick = 1; pick < 8; ++pick) {
            const int dz = pick & 4 ? side[0] : 0, dy = pick & 2 ? side[1] : 0, dx = pick & 1 ? side[2] : 0;
            auto& changed = b.changed[static_cast<std::size_t>((dz + 1) * 9 + (dy + 1) * 3 + dx + 1)];
            changed = std::min(changed, now);
        }
    }

    const Pixel* image_;
    const std::uint8_t *seeds_, *mask_;
    const GrowOptions& o_;
    std::uint8_t* label_;
    std::uint32_t* cost_;
    std::array<std::int64_t, 3> bricks_{};
    std::vector<std::uint32_t> due_;  // the cheapest news a brick has not seen; unreached: none
    std::vector<std::uint8_t> visited_;
    std::vector<Neighbour> neighbours_;
    std::vector<std::unique_ptr<Block>> blocks_;
    std::int64_t reached_ = 0, open_ = 0;
};

}  // namespace

template <typename Pixel>
bool grow_from_seeds(const Pixel* image, const std::uint8_t* seeds, const std::uint8_t* mask,
                     const GrowOptions& options, std::uint8_t* label, std::uint32_t* cost, const Progress& progress) {
    return Grower<Pixel>(image, seeds, mask, options, label, cost).run(progress);
}

template bool grow_from_seeds(const std::uint8_t*, const std::uint8_t*, const std::uint8_t*, const GrowOptions&,
                              std::uint8_t*, std::uint32_t*, const Progress&);
template bool grow_from_seeds(const std::uint16_t*, const std::uint8_t*, const std::uint8_t*, const GrowOptions&,
                              std::uint8_t*, std::uint32_t*, const Progress&);
template bool grow_from_seeds(const float*, const std::uint8_t*, const std::uint8_t*, const GrowOptions&, std::uint8_t*,
                              std::uint32_t*, const Progress&);

}  // namespace usfast
