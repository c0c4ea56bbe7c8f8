#include "usfast/compound.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>
#include <memory>
#include <stdexcept>
#include <vector>

#include "cells.hpp"
#include "scatter.hpp"

namespace usfast {
namespace {

// A slab should stay near the core, but be thick against the planes that its neighbours share with it.
constexpr std::int64_t slab_bytes = std::int64_t{4} << 20;

std::int64_t slab_thickness(std::int64_t plane_bytes, std::int64_t planes, int threads, std::int64_t pad) {
    // Where a plane alone is huge (votes on many labels), memory counts more than what slabs share.
    const std::int64_t thinnest = plane_bytes > 8 * slab_bytes ? 1 : 4 + 3 * pad;
    const std::int64_t fair = (planes + 4 * threads - 1) / (4 * threads);
    const std::int64_t fitting = slab_bytes / plane_bytes - 2 * pad;
    return std::clamp(std::min(fair, fitting), std::min(thinnest, planes), planes);
}

// Slabs are cut across y or z, whichever the rows of the frames run along less: long pieces of rows stay in one slab.
int slab_axis(const FrameStack& frames) {
    double along_y = 0, along_z = 0;
    for (std::int64_t n = 0; n < frames.used; ++n) {
        along_y += std::abs(frames.image_to_voxel[12 * n + 4]);
        along_z += std::abs(frames.image_to_voxel[12 * n + 8]);
    }
    return along_z > along_y ? 1 : 2;
}

// The slab's own voxels, without its padding, into the results.
void write_slab(const Slab& slab, const GridSize& size, const CompoundOptions& options, Dtype dtype, void* volume,
                float* weight) {
    const std::int64_t row = size.x + 2 * slab.pad, layer = row * (slab.end[1] - slab.begin[1] + 2 * slab.pad);
    const std::int64_t cell = cell_bytes(options, dtype);
    const auto value = static_cast<std::int64_t>(options.mode == Mode::vote ? sizeof(std::uint8_t) : sizeof(float));
    for (std::int64_t z = slab.begin[2]; z < slab.end[2]; ++z)
        for (std::int64_t y = slab.begin[1]; y < slab.end[1]; ++y) {
            const std::int64_t from =
                (z - slab.begin[2] + slab.pad) * layer + (y - slab.begin[1] + slab.pad) * row + slab.pad;
            const std::int64_t to = (z * size.y + y) * size.x;
            write_cells(static_cast<std::byte*>(slab.cells) + from * cell, size.x, options, dtype,
                        static_cast<std::byte*>(volume) + to * value, weight + to);
        }
}

}  // namespace

bool compound(const FrameStack& frames, const GridSize& size, const CompoundOptions& options, void* volume,
              float* weight, const Progress& progress) {
    const std::int64_t pad = options.method == Method::linear     ? 1
                             : options.method == Method::gaussian ? 2 * options.radius
                                                                  : 0;
    const int axis = slab_axis(frames);
    const std::int64_t planes = axis == 2 ? size.z : size.y, other = axis == 2 ? size.y : size.z;
    const std::int64_t plane = (size.x + 2 * pad) * (other + 2 * pad);
    if (plane > std::numeric_limits<std::int32_t>::max()) throw std::length_error("a plane of the grid is too large");
    const std::int64_t bytes = cell_bytes(options, frames.dtype);
    const std::int64_t thickness = slab_thickness(plane * bytes, planes, options.threads, pad);
    const std::int64_t slabs = (planes + thickness - 1) / thickness;
    const auto threads = static_cast<int>(std::min<std::int64_t>(options.threads, slabs));
    const std::int64_t cells = (plane * (thickness + 2 * pad) + 1) * bytes;  // kernels may touch one voxel past a row

    std::vector<std::unique_ptr<std::byte[]>> scratch;
    for (int worker = 0; worker < threads; ++worker)
        scratch.push_back(std::make_unique_for_overwrite<std::byte[]>(static_cast<std::size_t>(cells)));

    const ScatterTable& table = scatter_table();
    return parallel_for(
        slabs, threads,
        [&](std::int64_t task, int worker) {
            Slab slab{{0, 0, 0}, {size.x, size.y, size.z}, pad, scratch[static_cast<std::size_t>(worker)].get()};
            slab.begin[axis] = task * thickness;
            slab.end[axis] = std::min(slab.begin[axis] + thickness, planes);
            std::memset(slab.cells, 0, static_cast<std::size_t>(cells));
            table.scatter(frames, options, slab);
            write_slab(slab, size, options, frames.dtype, volume, weight);
        },
        progress);
}

}  // namespace usfast
