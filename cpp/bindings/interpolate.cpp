#include "usfast/interpolate.hpp"

#include <cmath>

#include "importance.hpp"

namespace {

using usfast::VoxelMethod;

VoxelMethod interpolation(const std::string& name) {
    return name == "voxel_nearest"      ? VoxelMethod::voxel_nearest
           : name == "inverse_distance" ? VoxelMethod::inverse_distance
           : name == "trajectory"       ? VoxelMethod::trajectory
           : name == "squared_distance" ? VoxelMethod::squared_distance
           : name == "adaptive"         ? VoxelMethod::adaptive
                                        : VoxelMethod::median;
}

template <typename T>
py::tuple interpolate(const Array<T>& frames, const Array<std::int64_t>& index, const Array<double>& image_to_voxel,
                      const std::array<std::int64_t, 3>& size, const std::array<double, 3>& spacing,
                      const std::optional<Array<std::uint8_t>>& mask, const std::optional<Array<float>>& importance,
                      const std::string& method, double reach, double alpha, double largest_alpha, double halfway,
                      int threads, const Callback& callback) {
    require_frames(frames, index);
    const auto height = frames.shape(1), width = frames.shape(2);
    require(has_shape(image_to_voxel, {index.shape(0), 3, 4}), "image_to_voxel must be (M, 3, 4)");
    require(!mask || has_shape(*mask, {height, width}), "mask must be (H, W)");
    for (const auto n : size) require(n > 0 && n < 1000000000, "size must be positive and below 1e9");
    for (const double s : spacing) require(std::isfinite(s) && s > 0, "spacing must be positive");
    require(std::isfinite(reach) && reach > 0 && halfway > 0, "reach or halfway out of range");
    require(alpha >= 0 && largest_alpha >= 0 && threads >= 1, "alpha or threads out of range");
    for (py::ssize_t i = 0; i < image_to_voxel.size(); ++i)
        require(std::isfinite(image_to_voxel.data()[i]), "image_to_voxel must be finite");

    const usfast::InterpolateOptions options{
        interpolation(method), {spacing[0], spacing[1], spacing[2]}, reach, alpha, largest_alpha, halfway, threads};
    usfast::FrameStack stack{frames.data(),
                             std::is_same_v<T, std::uint8_t> ? usfast::Dtype::uint8 : usfast::Dtype::float32,
                             height,
                             width,
                             index.shape(0),
                             index.data(),
                             image_to_voxel.data(),
                             mask ? mask->data() : nullptr,
                             nullptr,
                             {0, 0, 0}};
    if (importance) set_importance(stack, *importance, frames.shape(0));

    const std::array<py::ssize_t, 3> shape{size[2], size[1], size[0]};
    Array<float> volume(shape), weight(shape);
    float* volume_data = volume.mutable_data();
    float* weight_data = weight.mutable_data();
    {
        const py::gil_scoped_release nogil;
        usfast::interpolate(stack, usfast::GridSize{size[0], size[1], size[2]}, options, volume_data, weight_data,
                            progress_to_python(callback));
    }
    return py::make_tuple(volume, weight);
}

template <typename T>
void define(py::module_& module) {
    module.def("interpolate", &interpolate<T>, py::arg("frames").noconvert(), py::arg("index").noconvert(),
               py::arg("image_to_voxel").noconvert(), py::arg("size"), py::arg("spacing"), py::arg("mask").noconvert(),
               py::arg("importance").noconvert(), py::arg("method"), py::arg("reach"), py::arg("alpha"),
               py::arg("largest_alpha"), py::arg("halfway"), py::arg("threads"), py::arg("progress"));
}

}  // namespace

void bind_interpolate(py::module_& module) {
    define<std::uint8_t>(module);
    define<float>(module);
}
