// Every combination of settings on random frames that lie partly outside the volume: no access out of bounds, and the
// same bits for any number of threads.
#include <random>
#include <vector>

#include "check.hpp"
#include "usfast/plus.hpp"

using namespace usfast;

namespace {

template <typename T>
void run(std::mt19937& random, Dtype dtype) {
    constexpr std::int64_t frames = 9, height = 31, width = 40;
    const GridSize size{17, 13, 11};
    const auto voxels = static_cast<std::size_t>(size.x * size.y * size.z);
    std::uniform_int_distribution<int> byte(0, 255);
    std::uniform_real_distribution<double> unit(-1, 1);
    std::vector<T> pixels;
    std::vector<std::uint8_t> importance;
    std::vector<double> poses, tangents;
    std::vector<std::int64_t> index;
    for (std::int64_t i = 0; i < frames * height * width; ++i) pixels.push_back(static_cast<T>(byte(random)));
    for (std::int64_t i = 0; i < height * width; ++i)
        importance.push_back(static_cast<std::uint8_t>(i % 9 ? byte(random) : 0));
    for (std::int64_t n = 0; n < frames; ++n) {
        index.push_back(n);
        for (int a = 0; a < 16; ++a)
            poses.push_back(a >= 12 ? a == 15 : a % 4 == 3 ? 6 + 6 * unit(random) : 0.4 * unit(random));
        tangents.push_back(-0.9), tangents.push_back(0.8);
    }
    const plus::Frames stack{pixels.data(), dtype,           height,           width, frames, index.data(),
                             poses.data(),  tangents.data(), importance.data()};
    const std::vector<plus::FillElement> chain{{plus::Filler::stick, 0, 0, 0, 5, 2},
                                               {plus::Filler::gaussian, 5, 1.5F, 0.2F, 0, 0},
                                               {plus::Filler::gaussian_accumulation, 4, 1, 0.1F, 0, 0},
                                               {plus::Filler::inverse_distance, 3, 0, 0.1F, 0, 0},
                                               {plus::Filler::nearest, 7, 0, 0, 0, 0}};
    for (const auto interpolation : {plus::Interpolation::nearest, plus::Interpolation::linear})
        for (const auto optimization :
             {plus::Optimization::full, plus::Optimization::partial, plus::Optimization::none})
            for (const auto compounding : {plus::Compounding::latest, plus::Compounding::maximum,
                                           plus::Compounding::mean, plus::Compounding::importance})
                for (const bool fan : {false, true}) {
                    plus::Settings s{interpolation,
                                     optimization,
                                     compounding,
                                     {0, 1, width - 1, height - 2},
                                     fan,
                                     {20.5, 2},
                                     {4, 25},
                                     true,
                                     7,
                                     1};
                    std::vector<T> volume(voxels), out(voxels), again(voxels), again_out(voxels);
                    std::vector<std::uint16_t> acc(voxels), again_acc(voxels);
                    std::vector<std::uint8_t> filled(voxels), again_filled(voxels);
                    CHECK(plus::paste(stack, size, s, volume.data(), acc.data()));
                    CHECK(
                        plus::fill_holes(volume.data(), acc.data(), dtype, size, chain, 1, out.data(), filled.data()));
                    s.threads = 4;
                    CHECK(plus::paste(stack, size, s, again.data(), again_acc.data()));
                    CHECK(plus::fill_holes(again.data(), again_acc.data(), dtype, size, chain, 4, again_out.data(),
                                           again_filled.data()));
                    CHECK(volume == again && acc == again_acc && out == again_out && filled == again_filled);
                }
}

}  // namespace

int main() {
    std::mt19937 random(11);
    run<std::uint8_t>(random, Dtype::uint8);
    run<float>(random, Dtype::float32);
}
