#include <cmath>
#include <random>
#include <vector>

#include "check.hpp"
#include "usfast/beamform.hpp"

using namespace usfast;

namespace {

struct Scene {
    std::int64_t transmits = 3, elements, samples, count;
    bool complex;
    std::vector<float> data, weights;
    std::vector<double> positions, normals, points, delays;
    std::vector<Transmit> events;

    Scene(std::int64_t elements_, std::int64_t samples_, std::int64_t count_, bool complex_)
        : elements(elements_), samples(samples_), count(count_), complex(complex_) {
        std::mt19937 random(7);
        std::uniform_real_distribution<double> unit(0, 1);
        for (std::int64_t i = 0; i < transmits * elements * samples * (complex ? 2 : 1); ++i)
            data.push_back(static_cast<float>(unit(random)));
        for (std::int64_t e = 0; e < elements; ++e) {
            positions.insert(positions.end(), {0.3 * static_cast<double>(e), 0, 0});
            normals.insert(normals.end(), {0, 1, 0});
            delays.push_back(e % 2 ? 1e-7 : std::nan(""));
        }
        delays[0] = 0;
        for (std::int64_t i = 0; i < count; ++i)
            points.insert(points.end(), {10 * unit(random) - 5, 20 * unit(random), unit(random)});
        for (std::int64_t i = 0; i < transmits * count; ++i) weights.push_back(static_cast<float>(unit(random)));
        events.push_back({Wave::plane, {0, 1, 0}, {0, 0, 0}, 0, nullptr});
        events.push_back({Wave::source, {0, 8, 0}, {0, 0, 0}, 1e-6, nullptr});
        events.push_back({Wave::elements, {}, {}, -1e-6, delays.data()});
    }

    std::vector<float> image(const BeamformOptions& o, std::int64_t* behind) const {
        const Channels channels{data.data(), complex, transmits, elements, samples};
        std::vector<float> out(static_cast<std::size_t>((o.compound ? 1 : transmits) * count * (complex ? 2 : 1)), -1);
        CHECK(delay_bits(channels, positions.data(), o) >= 12);
        CHECK(delay_and_sum(channels, positions.data(), normals.data(), events.data(), points.data(), count,
                            weights.data(), o, out.data(), behind));
        return out;
    }
};

}  // namespace

int main() {
    for (const bool complex : {false, true})
        for (const std::int64_t count : {1, 64, 65, 1500})
            for (const Interpolation interpolation :
                 {Interpolation::nearest, Interpolation::linear, Interpolation::cubic})
                for (const Window window : {Window::boxcar, Window::hann, Window::hamming, Window::tukey}) {
                    Scene scene(9, count == 64 ? 4 : 300, count, complex);
                    scene.points[1] = -3;  // one point behind the array
                    BeamformOptions o;
                    o.interpolation = interpolation, o.window = window;
                    o.f_number = window == Window::boxcar ? 0 : 0.8;
                    o.sampling_frequency = 20e6, o.demodulation_frequency = 5e6;
                    std::int64_t behind = 0;
                    const auto once = scene.image(o, &behind);
                    CHECK(behind == 1);
                    o.threads = 3;
                    CHECK(scene.image(o, &behind) == once);
                    o.compound = false;
                    const auto each = scene.image(o, &behind);
                    const std::size_t size = once.size();
                    for (std::size_t i = 0; i < size; ++i) {
                        CHECK(std::isfinite(once[i]));
                        CHECK(each[i] + each[size + i] + each[2 * size + i] == once[i]);
                    }
                }
}
