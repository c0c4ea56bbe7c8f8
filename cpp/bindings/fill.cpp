#include "usfast/fill.hpp"

#include "bindings.hpp"

namespace {

py::tuple fill_holes(const Array<float>& volume, const Array<float>& weight, const std::string& method, int size,
                     double sigma, int threads, const Callback& callback) {
    require(volume.ndim() == 3, "volume must be (Z, Y, X)");
    require(has_shape(weight, {volume.shape(0), volume.shape(1), volume.shape(2)}),
            "weight must have the volume's shape");
    require(size >= 2 && size <= 255 && sigma > 0 && threads >= 1, "size, sigma or threads out of range");
    usfast::FillOptions options;
    options.method = method == "nearest"            ? usfast::Fill::nearest
                     : method == "mean"             ? usfast::Fill::mean
                     : method == "sticks"           ? usfast::Fill::sticks
                     : method == "gaussian"         ? usfast::Fill::gaussian
                     : method == "inverse_distance" ? usfast::Fill::inverse_distance
                                                    : usfast::Fill::normalized_convolution;
    options.size = size, options.sigma = sigma, options.threads = threads;
    const std::array<py::ssize_t, 3> shape{volume.shape(0), volume.shape(1), volume.shape(2)};
    Array<float> out(shape);
    Array<bool> filled(shape);
    float* out_data = out.mutable_data();
    auto* filled_data = reinterpret_cast<std::uint8_t*>(filled.mutable_data());
    {
        const py::gil_scoped_release nogil;
        usfast::fill_holes(volume.data(), weight.data(), usfast::GridSize{shape[2], shape[1], shape[0]}, options,
                           out_data, filled_data, progress_to_python(callback));
    }
    return py::make_tuple(out, filled);
}

}  // namespace

void bind_fill(py::module_& module) {
    module.def("fill_holes", &fill_holes, py::arg("volume").noconvert(), py::arg("weight").noconvert(),
               py::arg("method"), py::arg("size"), py::arg("sigma"), py::arg("threads"), py::arg("progress"));
}
