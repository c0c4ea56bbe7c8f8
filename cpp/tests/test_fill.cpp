#include <random>
#include <vector>

#include "check.hpp"
#include "usfast/fill.hpp"

using namespace usfast;

int main() {
    std::mt19937 random(3);
    std::uniform_int_distribution<int> dice(0, 9);
    for (const GridSize size : {GridSize{1, 1, 1}, GridSize{9, 17, 8}, GridSize{33, 2, 5}}) {
        const auto voxels = static_cast<std::size_t>(size.x * size.y * size.z);
        std::vector<float> volume(voxels), weight(voxels);
        for (std::size_t i = 0; i < voxels; ++i)
            if (dice(random) == 0) volume[i] = static_cast<float>(10 + dice(random)), weight[i] = 1;
        for (const Fill method : {Fill::nearest, Fill::mean, Fill::sticks, Fill::gaussian, Fill::inverse_distance,
                                  Fill::normalized_convolution, Fill::diffusion})
            for (const int width : {3, 5, 19})
                for (const bool extend : {false, true}) {
                    FillOptions o{method, {width, width, width}, {1.0, 1.0, 1.0}, extend, 1};
                    std::vector<float> out = volume, again = volume;
                    std::vector<std::uint8_t> mask(voxels, 7), again_mask(voxels);
                    CHECK(fill_holes(out.data(), weight.data(), size, o, mask.data()));
                    for (std::size_t i = 0; i < voxels; ++i) {
                        if (weight[i] > 0) CHECK(out[i] == volume[i] && !mask[i]);
                        if (mask[i]) CHECK(out[i] > 9.99F && out[i] < 19.01F);
                        if (!mask[i]) CHECK(out[i] == volume[i]);
                    }
                    o.threads = 3;
                    CHECK(fill_holes(again.data(), weight.data(), size, o, again_mask.data()));
                    CHECK(out == again && mask == again_mask);
                }
    }
}
