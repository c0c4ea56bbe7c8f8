#include "usfast/seeds.hpp"

#include "bindings.hpp"

namespace {

template <typename Pixel>
py::tuple grow_from_seeds(const Array<Pixel>& image, const Array<std::uint8_t>& seeds,
                          const std::optional<Array<std::uint8_t>>& mask, double low, double scale,
                          const std::array<double, 3>& step, bool diagonals, int threads, const Callback& callback) {
    require(image.ndim() == 3, "image must be (Z, Y, X)");
    const std::array<py::ssize_t, 3> shape{image.shape(0), image.shape(1), image.shape(2)};
    require(has_shape(seeds, {shape[0], shape[1], shape[2]}), "seeds must have the image's shape");
    require(!mask || has_shape(*mask, {shape[0], shape[1], shape[2]}), "mask must have the image's shape");
    require(threads >= 1 && scale >= 0, "threads or scale out of range");
    for (const double cost : step) require(cost >= 0 && cost <= 1e8, "step out of range");
    usfast::GrowOptions options;
    options.shape = {shape[0], shape[1], shape[2]};
    options.low = low, options.scale = scale, options.step = step, options.diagonals = diagonals;
    options.threads = threads;
    Array<std::uint8_t> label(shape);
    Array<std::uint32_t> cost(shape);
    std::uint8_t* label_data = label.mutable_data();
    std::uint32_t* cost_data = cost.mutable_data();
    {
        const py::gil_scoped_release nogil;
        usfast::grow_from_seeds(image.data(), seeds.data(), mask ? mask->data() : nullptr, options, label_data,
                                cost_data, progress_to_python(callback));
    }
    return py::make_tuple(label, cost);
}

template <typename Pixel>
void bind(py::module_& module) {
    module.def("grow_from_seeds", &grow_from_seeds<Pixel>, py::arg("image").noconvert(), py::arg("seeds").noconvert(),
               py::arg("mask").noconvert(), py::arg("low"), py::arg("scale"), py::arg("step"), py::arg("diagonals"),
               py::arg("threads"), py::arg("progress"));
}

}  // namespace

void bind_seeds(py::module_& module) {
    bind<std::uint8_t>(module);
    bind<std::uint16_t>(module);
    bind<float>(module);
}
