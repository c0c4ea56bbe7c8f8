#include "usfast/functions.hpp"

#include <cmath>

#include "importance.hpp"

namespace {

using usfast::FunctionMethod;

FunctionMethod function_method(const std::string& name) {
    return name == "radial_basis" ? FunctionMethod::radial_basis
           : name == "rayleigh"   ? FunctionMethod::rayleigh
                                  : FunctionMethod::bspline;
}

void check(const usfast::FunctionOptions& o) {
    const auto positive = [](double value) { return std::isfinite(value) && value > 0; };
    for (const double s : o.spacing) {
        require(positive(s), "spacing must be positive");
        require(positive(o.reach) && o.reach <= 1e5 * s, "reach out of range");
    }
    require(positive(o.smoothing) && o.max_centres >= 1, "smoothing or max_centres out of range");
    require(o.finest >= 1, "finest out of range");
    require(std::isfinite(o.compression) && o.compression >= 0 && positive(o.floor) && std::isfinite(o.level),
            "compression out of range");
    require(positive(o.regularisation) && o.iterations >= 1 && o.iterations <= 1000000, "iterations out of range");
    require(o.tolerance >= 0 && o.threads >= 1, "tolerance or threads out of range");
}

template <typename T>
py::tuple fit_functions(const Array<T>& frames, const Array<std::int64_t>& index, const Array<double>& image_to_voxel,
                        const std::array<std::int64_t, 3>& size, const std::array<double, 3>& spacing,
                        const std::optional<Array<std::uint8_t>>& mask, const std::optional<Array<float>>& importance,
                        const std::string& method, double reach, double smoothing, int max_centres, int finest,
                        double compression, double floor, double level, double regularisation, int iterations,
                        double tolerance, int threads, const Callback& callback) {
    require_frames(frames, index);
    const auto height = frames.shape(1), width = frames.shape(2);
    require(has_shape(image_to_voxel, {index.shape(0), 3, 4}), "image_to_voxel must be (M, 3, 4)");
    require(!mask || has_shape(*mask, {height, width}), "mask must be (H, W)");
    for (const auto n : size) require(n > 0 && n < 1000000000, "size must be positive and below 1e9");
    for (py::ssize_t i = 0; i < image_to_voxel.size(); ++i)
        require(std::isfinite(image_to_voxel.data()[i]), "image_to_voxel must be finite");
    const usfast::FunctionOptions options{function_method(method),
                                          {spacing[0], spacing[1], spacing[2]},
                                          reach,
                                          smoothing,
                                          max_centres,
                                          finest,
                                          compression,
                                          floor,
                                          level,
                                          regularisation,
                                          iterations,
                                          tolerance,
                                          threads};
    check(options);
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
        usfast::fit_functions(stack, usfast::GridSize{size[0], size[1], size[2]}, options, volume_data, weight_data,
                              progress_to_python(callback));
    }
    return py::make_tuple(volume, weight);
}

template <typename T>
void define(py::module_& module) {
    module.def("fit_functions", &fit_functions<T>, py::arg("frames").noconvert(), py::arg("index").noconvert(),
               py::arg("image_to_voxel").noconvert(), py::arg("size"), py::arg("spacing"), py::arg("mask").noconvert(),
               py::arg("importance").noconvert(), py::arg("method"), py::arg("reach"), py::arg("smoothing"),
               py::arg("max_centres"), py::arg("finest"), py::arg("compression"), py::arg("floor"), py::arg("level"),
               py::arg("regularisation"), py::arg("iterations"), py::arg("tolerance"), py::arg("threads"),
               py::arg("progress"));
}

}  // namespace

void bind_functions(py::module_& module) {
    define<std::uint8_t>(module);
    define<float>(module);
}
