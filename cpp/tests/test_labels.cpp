#include <random>

#include "check.hpp"
#include "usfast/labels.hpp"

using namespace usfast;

namespace {

// Images 1 mm a pixel, parallel, at `z`.
ToPlane plane_at(double z) { return {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, -z}; }

void blending() {
    constexpr std::int64_t height = 5, width = 6;
    const std::vector<float> before(height * width, -2), after(height * width, 6);
    Blend blend;
    blend.height = height, blend.width = width;
    blend.field = {nullptr, before.data(), after.data(), nullptr};
    blend.to_field = {plane_at(0), plane_at(0), plane_at(4), plane_at(4)};
    blend.bracket = {plane_at(0), plane_at(4)};
    blend.way = {1, 4, 1};
    const std::vector<double> poses{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 0, 0, 90, 0, 1, 0, -90, 0, 0, 1, 3};
    const std::vector<double> share{0.25, 0.75};
    std::vector<float> out(2 * height * width), again(out.size());
    for (const int ends : {0, 1, -1})
        for (const auto& discs : {std::vector<DiscPair>{}, std::vector<DiscPair>{{{1, 1, 0}, {4, 4, 4}, 1, 2}}}) {
            blend.ends = discs.empty() ? ends : 0;
            CHECK(blend_distances(blend, discs, poses.data(), share.data(), 2, 1, out.data()));
            CHECK(blend_distances(blend, discs, poses.data(), share.data(), 2, 3, again.data()));
            CHECK(out == again);
            if (blend.ends == 0)
                for (std::size_t p = 0; p < out.size(); ++p) CHECK(out[p] == (p < height * width ? 0 : 4));
        }
}

void painting_and_smoothing() {
    std::mt19937 random(5);
    std::uniform_int_distribution<int> dice(0, 2);
    constexpr std::int64_t frames = 4, height = 9, width = 8, structures = 2;
    std::vector<std::uint8_t> label(frames * height * width), known(frames * structures, 1);
    for (auto& l : label) l = static_cast<std::uint8_t>(dice(random));
    std::vector<ToPlane> planes;
    for (int n = 0; n < frames; ++n) planes.push_back(plane_at(3.0 * n));
    const std::array<std::int64_t, 3> shape{12, 10, 9};
    LabelFrames pass{label.data(), known.data(), nullptr, frames, height, width, planes.data(), {}};
    for (int n = 0; n + 1 < frames; ++n) pass.gaps.push_back({n, n + 1, 0, shape[2], 0, shape[1], 0, shape[0]});
    std::vector<std::uint8_t> codes(12 * 10 * 9), again(codes.size());
    CHECK(paint_labels({pass, pass}, structures, shape, 1, codes.data()));
    CHECK(paint_labels({pass, pass}, structures, shape, 4, again.data()));
    CHECK(codes == again);
    for (std::int64_t z = 0; z < shape[0]; ++z)
        for (std::int64_t y = 0; y < shape[1]; ++y)
            for (std::int64_t x = 0; x < shape[2]; ++x) {
                const std::uint8_t code = codes[static_cast<std::size_t>((z * shape[1] + y) * shape[2] + x)];
                CHECK((code == kOutside) == (z > 9 || y >= height || x >= width));
                if (z % 3 == 0 && z < 10 && y < height && x < width)
                    CHECK(code == label[static_cast<std::size_t>((z / 3 * height + y) * width + x)]);
            }
    Smoothing smoothing;
    smoothing.kernel = {0.25F, 0.5F, 0.25F};
    smoothing.structures = structures;
    smoothing.bonus = {0, 0.1F};
    std::vector<std::int64_t> lead(structures * kBins), more(lead.size());
    std::vector<std::uint8_t> out(codes.size()), other(codes.size());
    for (const bool planar : {false, true}) {
        smoothing.planar = planar;
        smoothing.threads = 1;
        CHECK(smooth_codes(codes.data(), shape, smoothing, out.data(), lead.data()));
        smoothing.threads = 3;
        CHECK(smooth_codes(codes.data(), shape, smoothing, other.data(), more.data()));
        CHECK(out == other && lead == more);
        std::int64_t inside = 0, counted = 0, won = 0;
        for (std::size_t p = 0; p < codes.size(); ++p) {
            inside += codes[p] != kOutside;
            won += out[p] == 1;
            CHECK(out[p] <= structures && (codes[p] != kOutside || out[p] == 0));
        }
        for (std::int64_t b = 0; b < kBins; ++b) counted += lead[static_cast<std::size_t>(b)];
        std::int64_t leading = 0;
        for (std::int64_t b = kBins / 2 + 1; b < kBins; ++b) leading += lead[static_cast<std::size_t>(b)];
        CHECK(counted == inside && leading <= won);
    }
}

void dilating() {
    // A corridor around a corner, one pixel that is cut off, and a diagonal step.
    const std::vector<std::uint8_t> region{1, 1, 1, 0, 1,  //
                                           0, 0, 0, 1, 0,  //
                                           1, 0, 0, 1, 0};
    std::vector<std::uint8_t> seed(15, 0);
    seed[0] = 1;
    std::vector<std::int32_t> steps(15);
    dilation_steps(seed.data(), region.data(), 3, 5, steps.data());
    CHECK((steps == std::vector<std::int32_t>{0, 1, 2, -1, 6, -1, -1, -1, 4, -1, -1, -1, -1, 5, -1}));
}

}  // namespace

int main() {
    blending();
    painting_and_smoothing();
    dilating();
}
