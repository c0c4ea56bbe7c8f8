#include "usfast/compound.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <stdexcept>
#include <vector>

#include "scatter.hpp"

namespace usfast {
namespace {

// A slab should stay near the core, but be thick against the planes that its neighbours share with it.
constexpr std::int64_t slab_bytes = std::int64_t{4} << 20;

std::int64_t slab_thickness(std::int64_t plane_bytes, std::int64_t planes, int threads, std::int64_t pad) {
    const std::int64_t fair = (planes + 4 * threads - 1) / (4 * threads);
    const std::int64_t fitting = slab_bytes / plane_bytes - 2 * pad;
    return std::clamp(std::min(fair, fitting), std::min(4 + 3 * pad, planes), planes);
}

void write_means(const double* cell, std::int64_t count, bool divide, float* volume, float* weight) {
    for (std::int64_t i = 0; i < count; ++i, cell += 2) {
        // A weight too small for the result is none, so that volume and weight agree on what is known.
        weight[i] = static_cast<float>(cell[1]);
        volume[i] = weight[i] > 0 ? static_cast<float>(divide ? cell[0] / cell[1] : cell[0]) : 0.0F;
    }
}

void write_votes(const double* cell, std::int64_t count, int classes, std::uint8_t* volume, float* weight) {
    for (std::int64_t i = 0; i < count; ++i, cell += classes) {
        double total = 0;
        int winner = 0;
        for (int c = 0; c < classes; ++c) {
            total += cell[c];
            if (cell[c] > cell[winner]) winner = c;
        }
        weight[i] = static_cast<float>(total);
        volume[i] = static_cast<std::uint8_t>(weight[i] > 0 ? winner : 0);
    }
}

}  // namespace

bool compound(const FrameStack& frames, const GridSize& size, const CompoundOptions& options, void* volume,
              float* weight, const Progress& progress) {
    const bool vote = options.mode == Mode::vote;
    const std::int64_t pad = options.method == Method::linear     ? 1
                             : options.method == Method::gaussian ? 2 * options.radius
                                                                  : 0;
    const std::int64_t row = size.x + 2 * pad, plane = row * (size.y + 2 * pad);
    if (plane > std::numeric_limits<std::int32_t>::max()) throw std::length_error("a plane of the grid is too large");
    const std::int64_t cell = vote ? options.classes : 2;
    const auto cell_bytes = static_cast<std::int64_t>(sizeof(double)) * cell;
    const std::int64_t thickness = slab_thickness(plane * cell_bytes, size.z, options.threads, pad);
    const std::int64_t slabs = (size.z + thickness - 1) / thickness;
    const auto threads = static_cast<int>(std::min<std::int64_t>(options.threads, slabs));
    const std::int64_t cells = (plane * (thickness + 2 * pad) + 1) * cell;  // kernels may touch one voxel past a row

    std::vector<std::unique_ptr<double[]>> scratch;
    for (int worker = 0; worker < threads; ++worker)
        scratch.push_back(std::make_unique_for_overwrite<double[]>(static_cast<std::size_t>(cells)));

    const ScatterTable& table = scatter_table();
    return parallel_for(
        slabs, threads,
        [&](std::int64_t task, int worker) {
            const std::int64_t z_begin = task * thickness, z_end = std::min(z_begin + thickness, size.z);
            const Slab slab{size, z_begin, z_end, pad, scratch[static_cast<std::size_t>(worker)].get()};
            std::fill_n(slab.cells, cells, 0.0);
            table.scatter(frames, options, slab);
            for (std::int64_t z = z_begin; z < z_end; ++z)
                for (std::int64_t y = 0; y < size.y; ++y) {
                    const double* from = slab.cells + cell * ((z - z_begin + pad) * plane + (y + pad) * row + pad);
                    const std::int64_t to = (z * size.y + y) * size.x;
                    if (vote)
                        write_votes(from, size.x, options.classes, static_cast<std::uint8_t*>(volume) + to,
                                    weight + to);
                    else
                        write_means(from, size.x, options.mode == Mode::mean, static_cast<float*>(volume) + to,
                                    weight + to);
                }
        },
        progress);
}

}  // namespace usfast
