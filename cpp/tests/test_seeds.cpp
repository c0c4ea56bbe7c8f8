#include <random>
#include <vector>

#include "check.hpp"
#include "usfast/seeds.hpp"

using namespace usfast;

namespace {

struct Case {
    std::array<std::int64_t, 3> shape;
    std::vector<float> image;
    std::vector<std::uint8_t> seeds, mask;
};

Case random_case(std::array<std::int64_t, 3> shape, unsigned seed) {
    std::mt19937 random(seed);
    const auto count = static_cast<std::size_t>(shape[0] * shape[1] * shape[2]);
    Case c{shape, std::vector<float>(count), std::vector<std::uint8_t>(count), std::vector<std::uint8_t>(count)};
    for (std::size_t i = 0; i < count; ++i) {
        c.image[i] = static_cast<float>(random() % 200);
        c.seeds[i] = random() % 50 ? 0 : static_cast<std::uint8_t>(1 + random() % 255);
        c.mask[i] = random() % 10 > 0;
    }
    return c;
}

// No step improves anything, and every label but a seed's comes over some step: that is the cheapest assignment.
void check_settled(const Case& c, const GrowOptions& o, const std::vector<std::uint8_t>& label,
                   const std::vector<std::uint32_t>& cost) {
    auto at = [&](std::int64_t z, std::int64_t y, std::int64_t x) {
        return static_cast<std::size_t>((z * c.shape[1] + y) * c.shape[2] + x);
    };
    const std::array<std::array<int, 3>, 6> sides{
        {{1, 0, 0}, {-1, 0, 0}, {0, 1, 0}, {0, -1, 0}, {0, 0, 1}, {0, 0, -1}}};
    for (std::int64_t z = 0; z < c.shape[0]; ++z)
        for (std::int64_t y = 0; y < c.shape[1]; ++y)
            for (std::int64_t x = 0; x < c.shape[2]; ++x) {
                const std::size_t here = at(z, y, x);
                if (!c.mask[here]) {
                    CHECK(label[here] == 0 && cost[here] == unreached);
                    continue;
                }
                if (c.seeds[here]) CHECK(label[here] == c.seeds[here] && cost[here] == 0);
                bool supported = c.seeds[here] || cost[here] == unreached;
                for (const auto& s : sides) {
                    const std::int64_t k = z + s[0], j = y + s[1], i = x + s[2];
                    if (k < 0 || j < 0 || i < 0 || k >= c.shape[0] || j >= c.shape[1] || i >= c.shape[2]) continue;
                    const std::size_t from = at(k, j, i);
                    if (cost[from] == unreached || c.seeds[here]) continue;
                    const double step = s[0] ? o.step[0] : s[1] ? o.step[1] : o.step[2];
                    const double sum = cost[from] + std::abs(c.image[from] - c.image[here]) + step;
                    CHECK(cost[here] <= sum);
                    CHECK(cost[here] < sum || label[here] <= label[from]);
                    supported = supported || (cost[here] == sum && label[here] == label[from]);
                }
                CHECK(supported);
            }
}

}  // namespace

int main() {
    unsigned seed = 1;
    for (const auto& shape : {std::array<std::int64_t, 3>{1, 1, 1}, {4, 31, 5}, {33, 30, 62}, {1, 61, 1}}) {
        const Case c = random_case(shape, seed++);
        GrowOptions o;
        o.shape = shape, o.step = {0, 3, 2}, o.diagonals = false;
        std::vector<std::uint8_t> label(c.image.size(), 9), again(c.image.size(), 8);
        std::vector<std::uint32_t> cost(c.image.size()), again_cost(c.image.size());
        CHECK(grow_from_seeds(c.image.data(), c.seeds.data(), c.mask.data(), o, label.data(), cost.data()));
        check_settled(c, o, label, cost);
        for (const bool diagonals : {false, true}) {
            o.diagonals = diagonals, o.threads = 1;
            CHECK(grow_from_seeds(c.image.data(), c.seeds.data(), c.mask.data(), o, label.data(), cost.data()));
            o.threads = 3;
            CHECK(grow_from_seeds(c.image.data(), c.seeds.data(), c.mask.data(), o, again.data(), again_cost.data()));
            CHECK(label == again && cost == again_cost);
        }
        // Costs too large to add stay below `unreached`.
        o.step = {1e8, 1e8, 1e8}, o.scale = 1000;
        CHECK(grow_from_seeds(c.image.data(), c.seeds.data(), c.mask.data(), o, label.data(), cost.data()));
        CHECK(!grow_from_seeds(c.image.data(), c.seeds.data(), c.mask.data(), o, label.data(), cost.data(),
                               [](std::int64_t, std::int64_t) { return false; }));
    }
}
