#include <cmath>
#include <random>
#include <vector>

#include "../src/speckle/products.hpp"
#include "check.hpp"
#include "usfast/dispatch.hpp"
#include "usfast/speckle.hpp"

using namespace usfast;

namespace {

std::mt19937 generator(7);

std::vector<std::uint8_t> noise(std::int64_t count, int low = 0) {
    std::uniform_int_distribution<int> pixel(low, 255);
    std::vector<std::uint8_t> values(static_cast<std::size_t>(count));
    for (auto& value : values) value = static_cast<std::uint8_t>(pixel(generator));
    return values;
}

// Every layout of packed patches gives the same exact sums, the one for bytes too where no machine would choose it.
void check_table(const ProductTable<std::int32_t>& table, std::int64_t rows, std::int64_t columns, int low) {
    const std::int64_t stride = columns + 5, pixels = rows * columns;
    const std::int64_t length = (pixels + patch_unit - 1) / patch_unit * patch_unit;
    constexpr int patches = 9;
    std::vector<std::vector<std::uint8_t>> images;
    std::vector<std::vector<char>> packed(patches, std::vector<char>(std::size_t(length * table.pixel_bytes)));
    std::vector<const void*> from, patch;
    std::vector<void*> to;
    for (int p = 0; p < patches; ++p) {
        images.push_back(noise(rows * stride, low));
        from.push_back(images.back().data()), to.push_back(packed[std::size_t(p)].data()), patch.push_back(to.back());
    }
    for (int p = 0; p < patches; ++p) from[std::size_t(p)] = images[std::size_t(p)].data();
    table.pack(from.data(), patches, stride, rows, columns, to.data(), length, 0);
    auto dot = [&](int a, int b, std::int64_t offset) {
        std::int64_t sum = 0;
        for (std::int64_t r = 0; r < rows; ++r)
            for (std::int64_t c = 0; c < columns; ++c)
                sum += (images[std::size_t(a)][std::size_t(r * stride + c)] - offset) *
                       images[std::size_t(b)][std::size_t(r * stride + c)];
        return sum;
    };
    const Moments m = table.moments(patch[0], length);
    CHECK(m.squares == double(dot(0, 0, 0)));
    for (int lefts = 1; lefts <= most_left; ++lefts)
        for (int rights = 1; rights + lefts <= patches; ++rights) {
            std::vector<std::int32_t> out(std::size_t(lefts * rights), -1);
            table.products(patch.data(), lefts, patch.data() + lefts, rights, length, out.data());
            for (int i = 0; i < lefts; ++i)
                for (int j = 0; j < rights; ++j)
                    CHECK(out[std::size_t(i * rights + j)] == dot(i, lefts + j, table.offset));
        }
}

void check_level(const ProductTable<std::int32_t>& words, const ProductTable<std::int32_t>& bytes) {
    for (const auto* table : {&words, &bytes}) {
        check_table(*table, 32, 32, 0);
        check_table(*table, 2, 2, 0);
        check_table(*table, 7, 19, 250);
        check_table(*table, 128, 256, 255);
    }
}

void check_kernels() {
    check_level(isa_baseline::words, isa_baseline::bytes);
    __builtin_cpu_init();
#ifdef USFAST_HAVE_X86_64_V3
    if (__builtin_cpu_supports("x86-64-v3")) check_level(isa_x86_64_v3::words, isa_x86_64_v3::bytes);
#endif
#ifdef USFAST_HAVE_X86_64_V4_VNNI
    if (__builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512vnni"))
        check_level(isa_x86_64_v4_vnni::words, isa_x86_64_v4_vnni::bytes);
#endif
}

void check_correlations() {
    const std::int64_t count = 23, height = 21, width = 40;
    const auto pixels = noise(count * height * width);
    std::vector<float> real(pixels.begin(), pixels.end());
    const std::vector<std::int64_t> corners{0, 0, 5, 33, 14, 20, 14, 33, 0, 0};
    const Patches patches{corners.data(), 5, 7, 7};
    for (const std::int64_t window : {1, 4, 22, 30}) {
        const auto cells = std::size_t(count * window * patches.count);
        std::vector<float> one(cells), many(cells), floats(cells);
        CHECK(
            correlate_pairs(Frames<std::uint8_t>{pixels.data(), count, height, width}, patches, window, 1, one.data()));
        CHECK(correlate_pairs(Frames<std::uint8_t>{pixels.data(), count, height, width}, patches, window, 3,
                              many.data()));
        CHECK(correlate_pairs(Frames<float>{real.data(), count, height, width}, patches, window, 2, floats.data()));
        for (std::size_t i = 0; i < cells; ++i) {
            const auto frame = std::int64_t(i) / (window * patches.count);
            const auto lag = std::int64_t(i) / patches.count % window + 1;
            CHECK(std::isnan(one[i]) == (frame + lag >= count));
            CHECK(std::isnan(many[i]) == std::isnan(one[i]) && std::isnan(floats[i]) == std::isnan(one[i]));
            if (!std::isnan(one[i])) CHECK(one[i] == many[i] && std::abs(one[i] - floats[i]) < 1e-6f);
        }
        bool done = correlate_pairs(Frames<std::uint8_t>{pixels.data(), count, height, width}, patches, window, 1,
                                    one.data(), [](std::int64_t, std::int64_t) { return false; });
        CHECK(!done);
    }
}

void check_motion() {
    const std::int64_t height = 40, width = 50, down = 3, across = -2;
    auto pixels = noise(2 * height * width);
    for (std::int64_t r = 0; r < height; ++r)
        for (std::int64_t c = 0; c < width; ++c)
            pixels[std::size_t(((height + (r + down) % height) * width) + (c + across + width) % width)] =
                pixels[std::size_t(r * width + c)];
    const std::vector<std::int64_t> corners{0, 0, 10, 12, 30, 40, 24, 34}, pairs{0, 1, 1, 0};
    std::vector<float> shift(16), correlation(8);
    std::vector<std::uint8_t> rim(8);
    CHECK(track_patches({pixels.data(), 2, height, width}, {corners.data(), 4, 10, 10}, pairs.data(), 2, 5, 2,
                        {shift.data(), correlation.data(), rim.data()}));
    CHECK(std::lround(shift[2]) == across && std::lround(shift[3]) == down && correlation[1] == 1 && !rim[1]);
    CHECK(std::lround(shift[10]) == -across && std::lround(shift[11]) == -down && correlation[5] == 1);
}

}  // namespace

int main() {
    check_kernels();
    check_correlations();
    check_motion();
}
