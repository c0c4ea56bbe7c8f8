// Random frames through every method and mode against a direct sum, at the grid's borders and beyond, and the same
// bits for any number of threads. Run under the sanitizers, this is what shows that no kernel leaves its slab.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "../src/compound/cells.hpp"
#include "../src/compound/scatter.hpp"
#include "check.hpp"
#include "usfast/compound.hpp"

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

    FrameStack stack(bool single) const {
        return {single ? static_cast<const void*>(floats.data()) : bytes.data(),
                single ? Dtype::float32 : Dtype::uint8,
                height,
                width,
                frames,
                index.data(),
                poses.data(),
                mask.data(),
                importance.data(),
                {0, width, 1}};
    }
};

Case random_case(std::mt19937& random, double scale) {
    std::uniform_int_distribution<int> byte(0, 255), side(1, 23);
    std::uniform_real_distribution<double> unit(-1, 1);
    Case c{};
    c.frames = 3, c.height = side(random) + 60, c.width = side(random) + 60;
    c.size = {side(random), side(random), side(random)};
    for (std::int64_t i = 0; i < c.frames * c.height * c.width; ++i) {
        c.bytes.push_back(static_cast<std::uint8_t>(byte(random)));
        c.floats.push_back(i % 37 ? static_cast<float>(unit(random)) : std::numeric_limits<float>::quiet_NaN());
    }
    for (std::int64_t i = 0; i < c.height * c.width; ++i) {
        c.mask.push_back(i % 11 != 0);
        c.importance.push_back(static_cast<float>(i % 5) / 4);
    }
    for (std::int64_t n = 0; n < c.frames; ++n) {
        c.index.push_back(n);
        for (int a = 0; a < 12; ++a) c.poses.push_back(a % 4 == 3 ? 12 + 12 * unit(random) : scale * unit(random));
    }
    return c;
}

double weight_along(double p, std::int64_t i, const CompoundOptions& o) {
    const double d = p - static_cast<double>(i), nearest = std::floor(p + 0.5);
    switch (o.method) {
        case Method::nearest:
            return nearest == static_cast<double>(i);
        case Method::linear:
            return std::max(0.0, 1 - std::abs(d));
        case Method::gaussian:
            return std::abs(nearest - static_cast<double>(i)) <= o.radius ? std::exp(-d * d / (2 * o.sigma * o.sigma))
                                                                          : 0;
    }
    return 0;
}

void compare_mean(const Case& c, bool single, const CompoundOptions& o, const std::vector<float>& volume,
                  const std::vector<float>& weight) {
    for (std::int64_t z = 0; z < c.size.z; ++z)
        for (std::int64_t y = 0; y < c.size.y; ++y)
            for (std::int64_t x = 0; x < c.size.x; ++x) {
                double sum = 0, total = 0;
                for (std::int64_t n = 0; n < c.frames; ++n)
                    for (std::int64_t v = 0; v < c.height; ++v)
                        for (std::int64_t u = 0; u < c.width; ++u) {
                            const std::int64_t pixel = v * c.width + u, at = n * c.height * c.width + pixel;
                            const double value = single ? static_cast<double>(c.floats[static_cast<std::size_t>(at)])
                                                        : c.bytes[static_cast<std::size_t>(at)];
                            if (!c.mask[static_cast<std::size_t>(pixel)] || std::isnan(value)) continue;
                            const double* m = c.poses.data() + 12 * n;
                            double w = static_cast<double>(c.importance[static_cast<std::size_t>(pixel)]);
                            const std::int64_t at_voxel[3] = {x, y, z};
                            for (int a = 0; a < 3 && w > 0; ++a)
                                w *= weight_along(m[4 * a] * static_cast<double>(u) +
                                                      (m[4 * a + 1] * static_cast<double>(v) + m[4 * a + 3]),
                                                  at_voxel[a], o);
                            sum += w * value, total += w;
                        }
                const auto i = static_cast<std::size_t>((z * c.size.y + y) * c.size.x + x);
                // Rounding of single-precision sums adds up where thousands of equal pixels fall into one voxel.
                const double relative = o.method == Method::nearest ? 1e-6 : 1e-4;
                CHECK(std::abs(static_cast<double>(weight[i]) - total) <= 1e-9 + relative * total);
                if (total > 1e-6)
                    CHECK(std::abs(static_cast<double>(volume[i]) - sum / total) <= 1e-3 + 255 * relative);
            }
}

// Adds the frames, a few in each call, to cells of boxes of any size and order of axes, and reads the voxels.
void check_boxes(const Case& c, bool single, const CompoundOptions& o, const std::vector<float>& volume,
                 const std::vector<float>& weight, std::mt19937& random) {
    const FrameStack all = c.stack(single);
    const std::int64_t size[3] = {c.size.x, c.size.y, c.size.z}, bytes = cell_bytes(o, all.dtype);
    std::int64_t extent[3];
    for (int a = 0; a < 3; ++a) extent[a] = 1 + static_cast<std::int64_t>(random() % static_cast<unsigned>(size[a]));
    const int first = static_cast<int>(random() % 3), turn = 1 + static_cast<int>(random() % 2);
    for (std::int64_t z = 0; z < size[2]; z += extent[2])
        for (std::int64_t y = 0; y < size[1]; y += extent[1])
            for (std::int64_t x = 0; x < size[0]; x += extent[0]) {
                Slab slab{{x, y, z}, {}, o.method == Method::gaussian ? 2 * o.radius : 1, nullptr};
                std::int64_t stride[3], cells = 1;
                for (int i = 0; i < 3; ++i) slab.order[i] = (first + i * turn) % 3;
                for (const int a : slab.order) {
                    slab.end[a] = std::min(slab.begin[a] + extent[a], size[a]);
                    stride[a] = cells;
                    cells *= slab.end[a] - slab.begin[a] + 2 * slab.pad;
                }
                const auto memory = std::make_unique<std::byte[]>(static_cast<std::size_t>(cells * bytes));
                slab.cells = memory.get();
                for (std::int64_t n = 0; n < all.used; ++n) {
                    FrameStack one = all;
                    one.used = 1, one.index += n, one.image_to_voxel += 12 * n;
                    scatter_table().scatter(one, o, slab);
                }
                for (std::int64_t k = z; k < slab.end[2]; ++k)
                    for (std::int64_t j = y; j < slab.end[1]; ++j)
                        for (std::int64_t i = x; i < slab.end[0]; ++i) {
                            const std::int64_t at = (i - x + slab.pad) * stride[0] + (j - y + slab.pad) * stride[1] +
                                                    (k - z + slab.pad) * stride[2];
                            const auto voxel = static_cast<std::size_t>((k * size[1] + j) * size[0] + i);
                            float value = 0, total = 0;
                            write_cells(memory.get() + at * bytes, 1, o, all.dtype, &value, &total);
                            CHECK(value == volume[voxel] && total == weight[voxel]);
                        }
            }
}

// A frame that stands still: more than 4095 pixels in a voxel leave the packed format.
void check_many_hits() {
    for (const std::int64_t frames : {4000, 4097, 9000}) {
        const std::vector<std::uint8_t> bytes(static_cast<std::size_t>(frames), 255);
        std::vector<std::int64_t> index;
        std::vector<double> poses;
        for (std::int64_t n = 0; n < frames; ++n) {
            index.push_back(n);
            poses.insert(poses.end(), {1, 0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0});
        }
        const FrameStack stack{bytes.data(), Dtype::uint8, 1,       1,       frames,
                               index.data(), poses.data(), nullptr, nullptr, {}};
        CompoundOptions o;
        o.method = Method::nearest;
        float volume[9] = {}, weight[9] = {};
        CHECK(compound(stack, {3, 3, 1}, o, {volume, weight}));
        for (int i = 0; i < 9; ++i) {
            CHECK(volume[i] == (i == 4 ? 255.0F : 0.0F));
            CHECK(weight[i] == (i == 4 ? static_cast<float>(frames) : 0.0F));
        }
    }
}

// Packed cells (bytes, no importance) give the bits of the wide ones (here through the importance, all of it 1).
void check_packed(Case c) {
    c.importance.assign(c.importance.size(), 1);
    const auto voxels = static_cast<std::size_t>(c.size.x * c.size.y * c.size.z);
    std::vector<float> packed(voxels), packed_weight(voxels), wide(voxels), wide_weight(voxels);
    CompoundOptions o;
    o.method = Method::nearest;
    FrameStack stack = c.stack(false);
    CHECK(compound(stack, c.size, o, {wide.data(), wide_weight.data()}));
    stack.importance = nullptr;
    CHECK(compound(stack, c.size, o, {packed.data(), packed_weight.data()}));
    CHECK(packed == wide && packed_weight == wide_weight);
}

void check_statistics(const Case& c, const CompoundOptions& mean, const std::vector<float>& volume) {
    CompoundOptions o = mean;
    o.statistics = true;
    const auto voxels = static_cast<std::size_t>(c.size.x * c.size.y * c.size.z);
    std::vector<float> exact(voxels), variance(voxels);
    std::vector<std::uint32_t> hits(voxels);
    CHECK(compound(c.stack(false), c.size, o, {exact.data(), nullptr, variance.data(), hits.data()}));
    for (std::size_t i = 0; i < voxels; ++i) {
        CHECK(std::abs(exact[i] - volume[i]) <= 0.05F);  // single precision, thousands of equal pixels
        CHECK(variance[i] >= 0 && variance[i] <= 127.5F * 127.5F * 1.001F);
        CHECK(hits[i] > 1 || variance[i] < 1e-6F);
    }
}

}  // namespace

int main() {
    std::mt19937 random(7);
    check_many_hits();
    for (int repeat = 0; repeat < 4; ++repeat)
        for (const double scale : {0.3, 1e-14, 40.0, 1e12}) {
            const Case c = random_case(random, scale);
            const auto voxels = static_cast<std::size_t>(c.size.x * c.size.y * c.size.z);
            for (const Method method : {Method::nearest, Method::linear, Method::gaussian})
                for (const Mode mode : {Mode::mean, Mode::maximum, Mode::latest, Mode::vote})
                    for (const bool single : {false, true}) {
                        if (mode == Mode::vote && single) continue;
                        CompoundOptions o{method, mode, repeat % 4 + 1, 0.8, mode == Mode::vote ? 256 : 0, 1};
                        std::vector<float> volume(voxels), weight(voxels);
                        CHECK(compound(c.stack(single), c.size, o, {volume.data(), weight.data()}));
                        if (mode == Mode::mean && repeat == 0 && scale < 1) compare_mean(c, single, o, volume, weight);
                        if (mode != Mode::vote) check_boxes(c, single, o, volume, weight, random);
                        if (mode == Mode::mean && !single && scale < 1) {
                            check_packed(c);
                            check_statistics(c, o, volume);
                        }
                        for (const int threads : {2, 5}) {
                            o.threads = threads;
                            std::vector<float> again(voxels), again_weight(voxels);
                            CHECK(compound(c.stack(single), c.size, o, {again.data(), again_weight.data()}));
                            CHECK(!std::memcmp(volume.data(), again.data(), mode == Mode::vote ? voxels : 4 * voxels));
                            CHECK(weight == again_weight);
                        }
                    }
        }
}
