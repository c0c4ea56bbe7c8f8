// Bricks against compound() in one go: the same bits for every method, mode, batching and number of threads; nothing
// is left of a call that was stopped; and no brick exists that no pixel reached.
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "check.hpp"
#include "usfast/bricks.hpp"

using namespace usfast;

namespace {

struct Case {
    std::int64_t frames, height, width;
    GridSize size;
    std::vector<std::uint8_t> bytes;
    std::vector<float> floats;
    std::vector<double> poses;
    std::vector<std::int64_t> index;
    std::vector<std::uint8_t> mask;
    std::vector<float> importance;

    FrameStack part(bool single, std::int64_t first, std::int64_t count) const {
        return {single ? static_cast<const void*>(floats.data()) : bytes.data(),
                single ? Dtype::float32 : Dtype::uint8,
                height,
                width,
                count,
                index.data() + first,
                poses.data() + 12 * first,
                mask.data(),
                importance.data(),
                {0, width, 1}};
    }
};

Case random_case(std::mt19937& random, double scale) {
    std::uniform_int_distribution<int> byte(0, 255), side(1, 90);
    std::uniform_real_distribution<double> unit(-1, 1);
    Case c{};
    c.frames = 5, c.height = side(random) % 20 + 30, c.width = side(random) + 30;
    c.size = {side(random), side(random), side(random)};
    const double size[3] = {static_cast<double>(c.size.x), static_cast<double>(c.size.y),
                            static_cast<double>(c.size.z)};
    for (std::int64_t i = 0; i < c.frames * c.height * c.width; ++i) {
        c.bytes.push_back(static_cast<std::uint8_t>(byte(random)));
        c.floats.push_back(i % 37 ? static_cast<float>(unit(random)) : std::numeric_limits<float>::quiet_NaN());
    }
    for (std::int64_t i = 0; i < c.height * c.width; ++i) {
        c.mask.push_back(i % 11 != 0);
        c.importance.push_back(static_cast<float>(i % 5 + 1) / 4);
    }
    for (std::int64_t n = 0; n < c.frames; ++n) {
        c.index.push_back(n);
        for (int a = 0; a < 12; ++a) {
            const bool aligned = n % 2 == 0 && a % 4 < 2;  // some frames exactly along the axes
            c.poses.push_back(a % 4 == 3 ? size[a / 4] * (0.5 + 0.5 * unit(random))
                              : aligned  ? scale * (a == 0 || a == 5)
                                         : scale * unit(random));
        }
    }
    return c;
}

struct Result {
    std::vector<std::uint8_t> volume;  // bytes of floats, or labels
    std::vector<float> weight;

    explicit Result(const GridSize& size)
        : volume(static_cast<std::size_t>(size.x * size.y * size.z) * 4),
          weight(static_cast<std::size_t>(size.x * size.y * size.z)) {}
    bool operator==(const Result& other) const {
        return volume == other.volume &&
               std::memcmp(weight.data(), other.weight.data(), weight.size() * sizeof(float)) == 0;
    }
};

Box whole(const GridSize& size) { return {{0, 0, 0}, {size.x, size.y, size.z}}; }

Result read(const Bricks& bricks, const GridSize& size) {
    Result result(size);
    CHECK(bricks.write(whole(size), result.volume.data(), result.weight.data(), 2));
    return result;
}

void same_bits(const Case& c, bool single, const CompoundOptions& o) {
    Result expected(c.size);
    CHECK(compound(c.part(single, 0, c.frames), c.size, o,
                   {expected.volume.data(), expected.weight.data(), nullptr, nullptr}));
    const Dtype dtype = single ? Dtype::float32 : Dtype::uint8;
    for (const std::int64_t batch : {1, 2, 5})
        for (const int threads : {1, 3}) {
            Bricks bricks(whole(c.size), o, dtype);
            for (std::int64_t n = 0; n < c.frames; n += batch)
                CHECK(bricks.add(c.part(single, n, std::min(batch, c.frames - n)), threads, true));
            CHECK(read(bricks, c.size) == expected);
            bricks.clear();
            CHECK(bricks.bytes() == 0 && bricks.touched().empty());
        }
    // A part of the grid has the bits of the whole.
    const Box lower{{0, 0, 0}, {c.size.x, c.size.y, (c.size.z + 1) / 2}};
    Bricks bricks(lower, o, dtype);
    CHECK(bricks.add(c.part(single, 0, c.frames), 2, false));
    Result part({c.size.x, c.size.y, lower.end[2]});
    CHECK(bricks.write(lower, part.volume.data(), part.weight.data(), 1));
    CHECK(std::memcmp(part.weight.data(), expected.weight.data(), part.weight.size() * sizeof(float)) == 0);
}

void stopped_calls_leave_nothing(const Case& c, const CompoundOptions& o) {
    Bricks bricks(whole(c.size), o, Dtype::uint8);
    CHECK(bricks.add(c.part(false, 0, 3), 1, true));
    const Result before = read(bricks, c.size);
    const std::int64_t bytes = bricks.bytes();
    for (const std::int64_t last : {0, 1}) {
        // One thread: another one might have finished all before the call to stop comes.
        CHECK(!bricks.add(c.part(false, 3, 2), 1, true, [&](std::int64_t done, std::int64_t) { return done < last; }));
        CHECK(read(bricks, c.size) == before && bricks.bytes() == bytes);
        bool thrown = false;
        try {
            bricks.add(c.part(false, 3, 2), 2, true, [&](std::int64_t done, std::int64_t) {
                if (done >= last) throw std::runtime_error("stop");
                return true;
            });
        } catch (const std::runtime_error&) {
            thrown = true;
        }
        CHECK(thrown && read(bricks, c.size) == before && bricks.bytes() == bytes);
    }
}

// A plane through a huge box: the bricks that it crosses exist, and no others.
void huge_boxes_cost_what_is_touched() {
    const std::vector<std::uint8_t> pixels(64 * 64, 9);
    const std::vector<std::int64_t> index{0};
    for (const double far : {0.0, 5e8}) {
        const std::vector<double> pose{1, 0, 0, far + 40, 0, 1, 0, far + 40, 0, 0, 1, far + 16};
        const FrameStack frames{pixels.data(), Dtype::uint8, 64,      64,      1,
                                index.data(),  pose.data(),  nullptr, nullptr, {0, 0, 0}};
        Bricks bricks({{0, 0, 0}, {999999999, 999999999, 999999999}}, {}, Dtype::uint8);
        CHECK(bricks.add(frames, 1, true));
        CHECK(bricks.bytes() > 0 && bricks.bytes() <= 9 * 32 * 32 * 32 * 16);
        const Box touched = bricks.touched();
        const auto low = static_cast<std::int64_t>(far);
        CHECK(touched.begin[0] <= low + 40 && touched.end[0] >= low + 104);
        CHECK(touched.begin[0] >= low + 38 && touched.end[0] <= low + 107);
        CHECK(touched.end[2] - touched.begin[2] <= 4);
    }
}

}  // namespace

int main() {
    std::mt19937 random(11);
    for (const double scale : {0.4, 1e-14, 3.0, 1e12}) {
        const Case c = random_case(random, scale);
        for (const Method method : {Method::nearest, Method::linear, Method::gaussian})
            for (const Mode mode : {Mode::mean, Mode::maximum, Mode::latest, Mode::vote})
                for (const bool single : {false, true}) {
                    if (mode == Mode::vote && (single || scale != 0.4)) continue;  // large cells: slow
                    same_bits(c, single, {method, mode, 2, 0.8, mode == Mode::vote ? 256 : 0, 1});
                }
        if (scale < 1) stopped_calls_leave_nothing(c, {});
    }
    huge_boxes_cost_what_is_touched();
    return 0;
}
