#include "usfast/resample.hpp"

#include <algorithm>
#include <memory>
#include <vector>

#include "kernel.hpp"

namespace usfast {

namespace {

constexpr std::int64_t task_pixels = 1 << 15;

template <typename T>
void widen(const T* from, std::int64_t count, float* to) {
    for (std::int64_t i = 0; i < count; ++i) to[i] = static_cast<float>(from[i]);
}

void widen(const VoxelArray& volume, std::int64_t first, std::int64_t count, float* to) {
    if (volume.type == VoxelType::uint8)
        widen(static_cast<const std::uint8_t*>(volume.voxels) + first, count, to);
    else if (volume.type == VoxelType::int16)
        widen(static_cast<const std::int16_t*>(volume.voxels) + first, count, to);
    else
        widen(static_cast<const float*>(volume.voxels) + first, count, to);
}

// All lines of an array along one axis: `count` samples `stride` apart. Lines are taken in bundles of neighbours,
// `step` apart; the bundles of one group start `step * spline_lanes` apart, groups `group_stride`.
struct Lines {
    std::int64_t count, stride;
    std::int64_t neighbours, step;
    std::int64_t groups, group_stride;
};

bool filter_lines(const Lines& lines, int threads, float* values, const Progress& progress) {
    if (lines.count < 2) return true;
    const std::int64_t bundles = (lines.neighbours + spline_lanes - 1) / spline_lanes;
    const auto wanted = static_cast<int>(std::min<std::int64_t>(threads, bundles * lines.groups));
    std::vector<std::unique_ptr<double[]>> scratch;
    for (int worker = 0; worker < wanted; ++worker)
        scratch.push_back(std::make_unique<double[]>(static_cast<std::size_t>(lines.count * spline_lanes)));
    const auto spline = resample_table().spline;
    return parallel_for(
        bundles * lines.groups, wanted,
        [&](std::int64_t task, int worker) {
            const std::int64_t first = task % bundles * spline_lanes;
            const std::int64_t lanes = std::min<std::int64_t>(spline_lanes, lines.neighbours - first);
            float* start = values + task / bundles * lines.group_stride + first * lines.step;
            double* bundle = scratch[static_cast<std::size_t>(worker)].get();
            for (std::int64_t k = 0; k < lines.count; ++k)
                for (std::int64_t l = 0; l < lanes; ++l)
                    bundle[k * spline_lanes + l] = static_cast<double>(start[k * lines.stride + l * lines.step]);
            spline(bundle, lines.count);
            for (std::int64_t k = 0; k < lines.count; ++k)
                for (std::int64_t l = 0; l < lanes; ++l)
                    start[k * lines.stride + l * lines.step] = static_cast<float>(bundle[k * spline_lanes + l]);
        },
        progress);
}

}  // namespace

bool spline_coefficients(const VoxelArray& volume, int threads, float* coefficients, const Progress& progress) {
    const auto [x, y, z] = volume.size;
    const std::int64_t plane = x * y;
    if (!parallel_for(
            z, threads, [&](std::int64_t k, int) { widen(volume, k * plane, plane, coefficients + k * plane); },
            progress))
        return false;
    return filter_lines({x, 1, y, x, z, plane}, threads, coefficients, progress) &&
           filter_lines({y, x, x, 1, z, plane}, threads, coefficients, progress) &&
           filter_lines({z, plane, plane, 1, 1, 0}, threads, coefficients, progress);
}

bool resample(const VoxelArray& volume, const SliceStack& slices, Order order, float fill, int threads, float* out,
              const Progress& progress) {
    const std::int64_t height = slices.height, width = slices.width;
    const std::int64_t rows = std::clamp<std::int64_t>(task_pixels / width, 1, height);
    const std::int64_t parts = (height + rows - 1) / rows;
    const auto kernel = resample_table().rows;
    return parallel_for(
        slices.count * parts, threads,
        [&](std::int64_t task, int) {
            const std::int64_t slice = task / parts, begin = task % parts * rows;
            kernel(volume, slices.image_to_voxel + 12 * slice, begin, std::min(begin + rows, height), width, order,
                   fill, out + (slice * height + begin) * width);
        },
        progress);
}

}  // namespace usfast
