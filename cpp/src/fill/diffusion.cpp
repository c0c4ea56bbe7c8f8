#include "diffusion.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

namespace usfast {
namespace {

constexpr int most_sweeps = 500;
constexpr double tolerance = 1e-4;  // of the largest known magnitude, change in one sweep

struct Relaxation {
    float* volume;
    const Bits& taking_part;  // known or filled
    const Bits& holes;        // filled
    GridSize size;
    float omega;

    // One colour of plane z; returns the largest change.
    float sweep(std::int64_t z, int colour) const {
        const std::int64_t step_y = size.x, step_z = size.x * size.y;
        float largest = 0;
        for (std::int64_t y = 0; y < size.y; ++y) {
            const std::uint64_t* row = holes.row(y, z);
            const std::uint64_t lane = ((y + z + colour) & 1) ? 0xAAAAAAAAAAAAAAAAU : 0x5555555555555555U;
            for (std::int64_t w = 0; w < holes.words; ++w)
                for (std::uint64_t rest = row[w] & lane; rest; rest &= rest - 1) {
                    const std::int64_t x = 64 * w + std::countr_zero(rest);
                    float* voxel = volume + (z * size.y + y) * size.x + x;
                    float sum = 0, count = 0;
                    auto add = [&](std::int64_t i, std::int64_t j, std::int64_t k, std::int64_t step) {
                        if (i < 0 || i >= size.x || j < 0 || j >= size.y || k < 0 || k >= size.z) return;
                        if (!taking_part.at(i, j, k)) return;
                        sum += voxel[step], count += 1;
                    };
                    add(x - 1, y, z, -1), add(x + 1, y, z, 1);
                    add(x, y - 1, z, -step_y), add(x, y + 1, z, step_y);
                    add(x, y, z - 1, -step_z), add(x, y, z + 1, step_z);
                    if (count == 0) continue;
                    const float change = omega * (sum / count - *voxel);
                    *voxel += change;
                    largest = std::max(largest, std::abs(change));
                }
        }
        return largest;
    }
};

}  // namespace

bool diffuse(float* volume, const Bits& known, const GridSize& size, std::int64_t reach, int threads,
             const std::uint8_t* filled, const Progress& progress) {
    Bits taking_part = known, holes(size.x, size.y, size.z);
    std::vector<float> of_plane(static_cast<std::size_t>(size.z));
    parallel_for(size.z, threads, [&](std::int64_t z, int) {
        float largest = 0;
        for (std::int64_t y = 0; y < size.y; ++y)
            for (std::int64_t x = 0; x < size.x; ++x) {
                const std::int64_t at = (z * size.y + y) * size.x + x;
                holes.row(y, z)[x / 64] |= static_cast<std::uint64_t>(filled[at] != 0) << (x % 64);
                if (known.at(x, y, z)) largest = std::max(largest, std::abs(volume[at]));
            }
        for (std::int64_t i = 0; i < known.ny * known.words; ++i) taking_part.row(0, z)[i] |= holes.row(0, z)[i];
        of_plane[static_cast<std::size_t>(z)] = largest;
    });
    const double enough = tolerance * static_cast<double>(*std::max_element(of_plane.begin(), of_plane.end()));
    // The best factor for a gap of 2 reach voxels between two planes.
    const double omega = 2 / (1 + std::sin(std::numbers::pi / static_cast<double>(2 * reach + 1)));
    const Relaxation relaxation{volume, taking_part, holes, size, static_cast<float>(omega)};
    for (int sweep = 0; sweep < most_sweeps; ++sweep) {
        double change = 0;
        for (const int colour : {0, 1}) {
            parallel_for(size.z, threads, [&](std::int64_t z, int) {
                of_plane[static_cast<std::size_t>(z)] = relaxation.sweep(z, colour);
            });
            change = std::max(change, static_cast<double>(*std::max_element(of_plane.begin(), of_plane.end())));
        }
        if (progress && !progress(sweep, most_sweeps)) return false;
        if (change <= enough) break;
    }
    return true;
}

}  // namespace usfast
