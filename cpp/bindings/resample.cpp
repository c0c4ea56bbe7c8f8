#include "usfast/resample.hpp"

#include <cmath>
#include <type_traits>

#include "bindings.hpp"

namespace {

using usfast::VoxelArray;
using usfast::VoxelType;

template <typename T>
VoxelArray voxel_array(const Array<T>& volume) {
    require(volume.ndim() == 3, "volume must be (Z, Y, X)");
    for (int a = 0; a < 3; ++a)
        require(volume.shape(a) > 0 && volume.shape(a) < 1000000000, "sides of the volume must be from 1 to 1e9");
    const VoxelType type = std::is_same_v<T, std::uint8_t>   ? VoxelType::uint8
                           : std::is_same_v<T, std::int16_t> ? VoxelType::int16
                                                             : VoxelType::float32;
    return {volume.data(), type, {volume.shape(2), volume.shape(1), volume.shape(0)}};
}

template <typename T>
Array<float> resample(const Array<T>& volume, const Array<double>& image_to_voxel, std::int64_t height,
                      std::int64_t width, const std::string& order, float fill, int threads, const Callback& callback) {
    VoxelArray voxels = voxel_array(volume);
    require(image_to_voxel.ndim() == 3 && image_to_voxel.shape(1) == 3 && image_to_voxel.shape(2) == 4,
            "image_to_voxel must be (N, 3, 4)");
    for (py::ssize_t i = 0; i < image_to_voxel.size(); ++i)
        require(std::isfinite(image_to_voxel.data()[i]), "image_to_voxel must be finite");
    require(height > 0 && width > 0 && width < (1 << 30) && threads >= 1, "shape or threads out of range");
    const bool cubic = order == "cubic";
    const py::ssize_t count = image_to_voxel.shape(0);
    Array<float> out({count, static_cast<py::ssize_t>(height), static_cast<py::ssize_t>(width)});
    Array<float> coefficients;
    if (cubic) coefficients = Array<float>({volume.shape(0), volume.shape(1), volume.shape(2)});
    float *values = out.mutable_data(), *spline = coefficients.mutable_data();
    const double* matrices = image_to_voxel.data();
    {
        const py::gil_scoped_release nogil;
        const auto progress = progress_to_python(callback);
        // The filter counts its own tasks: let it see Ctrl-C only.
        const Callback silent;
        if (cubic) {
            usfast::spline_coefficients(voxels, threads, spline, progress_to_python(silent));
            voxels = {spline, VoxelType::float32, voxels.size};
        }
        usfast::resample(voxels, {count, height, width, matrices}, cubic ? usfast::Order::cubic : usfast::Order::linear,
                         fill, threads, values, progress);
    }
    return out;
}

template <typename T>
void define(py::module_& module) {
    module.def("resample", &resample<T>, py::arg("volume").noconvert(), py::arg("image_to_voxel").noconvert(),
               py::arg("height"), py::arg("width"), py::arg("order"), py::arg("fill"), py::arg("threads"),
               py::arg("progress"));
}

}  // namespace

void bind_resample(py::module_& module) {
    define<std::uint8_t>(module);
    define<std::int16_t>(module);
    define<float>(module);
}
