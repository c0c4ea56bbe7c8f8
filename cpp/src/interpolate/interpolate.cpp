#include "usfast/interpolate.hpp"

#include "families.hpp"

namespace usfast {
namespace {

template <typename T>
bool run(const FrameStack& frames, const GridSize& size, const InterpolateOptions& options, float* volume,
         float* weight, const Progress& progress) {
    switch (options.method) {
        case VoxelMethod::voxel_nearest:
        case VoxelMethod::inverse_distance:
            return interpolation::interpolate_projections<T>(frames, size, options, volume, weight, progress);
        case VoxelMethod::trajectory:
            return interpolation::interpolate_trajectory<T>(frames, size, options, volume, weight, progress);
        default:
            return interpolation::interpolate_neighbours<T>(frames, size, options, volume, weight, progress);
    }
}

}  // namespace

bool interpolate(const FrameStack& frames, const GridSize& size, const InterpolateOptions& options, float* volume,
                 float* weight, const Progress& progress) {
    return frames.dtype == Dtype::uint8 ? run<std::uint8_t>(frames, size, options, volume, weight, progress)
                                        : run<float>(frames, size, options, volume, weight, progress);
}

}  // namespace usfast
