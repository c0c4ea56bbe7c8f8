#include "usfast/fill.hpp"

#include "bindings.hpp"

namespace {

Array<bool> fill_holes(Array<float>& volume, const Array<float>& weight, const std::string& method,
                       const std::array<int, 3>& size, const std::array<double, 3>& sigma, bool extend, int threads,
                       const Callback& callback) {
    require(volume.ndim() == 3 && volume.writeable(), "volume must be (Z, Y, X) and writeable");
    require(has_shape(weight, {volume.shape(0), volume.shape(1), volume.shape(2)}),
            "weight must have the volume's shape");
    usfast::FillOptions options;
    for (std::size_t a = 0; a < 3; ++a) {
        require(size[a] >= 1 && size[a] <= 255 && sigma[a] > 0, "size or sigma out of range");
        options.size[a] = size[a], options.sigma[a] = sigma[a];
    }
    require(threads >= 1, "threads must be positive");
    options.method = method == "nearest"            ? usfast::Fill::nearest
                     : method == "mean"             ? usfast::Fill::mean
                     : method == "sticks"           ? usfast::Fill::sticks
                     : method == "gaussian"         ? usfast::Fill::gaussian
                     : method == "inverse_distance" ? usfast::Fill::inverse_distance
                     : method == "diffusion"        ? usfast::Fill::diffusion
                                                    : usfast::Fill::normalized_convolution;
    options.extend = extend, options.threads = threads;
    const std::array<py::ssize_t, 3> shape{volume.shape(0), volume.shape(1), volume.shape(2)};
    Array<bool> filled(shape);
    float* volume_data = volume.mutable_data();
    auto* filled_data = reinterpret_cast<std::uint8_t*>(filled.mutable_data());
    {
        const py::gil_scoped_release nogil;
        usfast::fill_holes(volume_data, weight.data(), usfast::GridSize{shape[2], shape[1], shape[0]}, options,
                           filled_data, progress_to_python(callback));
    }
    return filled;
}

}  // namespace

void bind_fill(py::module_& module) {
    module.def("fill_holes", &fill_holes, py::arg("volume").noconvert(), py::arg("weight").noconvert(),
               py::arg("method"), py::arg("size"), py::arg("sigma"), py::arg("extend"), py::arg("threads"),
               py::arg("progress"));
}
