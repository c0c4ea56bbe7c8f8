#include "usfast/confidence.hpp"

#include <cmath>

#include "bindings.hpp"
#include "usfast/confidence_directed.hpp"

namespace {

usfast::PixelType pixel_type(const py::array& images) {
    if (py::isinstance<Array<std::uint8_t>>(images)) return usfast::PixelType::uint8;
    if (py::isinstance<Array<std::uint16_t>>(images)) return usfast::PixelType::uint16;
    if (py::isinstance<Array<float>>(images)) return usfast::PixelType::float32;
    require(py::isinstance<Array<double>>(images), "images must be uint8, uint16, float32 or float64");
    return usfast::PixelType::float64;
}

py::array confidence_maps(const py::array& images, const Array<std::uint8_t>& state, const Array<double>& factor,
                          double beta, const std::array<double, 3>& penalty, double floor, bool normalise, bool single,
                          int threads, const Callback& callback) {
    require(images.ndim() == 3 && (images.flags() & py::array::c_style) != 0, "images must be (N, H, W), C order");
    const py::ssize_t n = images.shape(0), h = images.shape(1), w = images.shape(2);
    require(n >= 0 && h >= 1 && w >= 1 && h < (1 << 24) && w < (1 << 24), "images must have pixels");
    const bool per_image = state.ndim() == 3;
    require(per_image ? has_shape(state, {n, h, w}) : has_shape(state, {h, w}), "state must have the images' shape");
    require(has_shape(factor, {h, w}), "factor must be (H, W)");
    require(beta >= 0 && std::isfinite(beta) && floor > 0 && floor < 1 && threads >= 1,
            "beta, floor or threads out of range");
    for (const double p : penalty) require(p >= 0 && std::isfinite(p), "penalty out of range");
    const usfast::ConfidenceImages in{images.data(), pixel_type(images), n, h, w};
    const usfast::ConfidenceOptions options{beta,   {penalty[0], penalty[1], penalty[2]}, floor, normalise, single,
                                            threads};
    const std::vector<py::ssize_t> shape{n, h, w};
    py::array out = single ? py::array(Array<float>(shape)) : py::array(Array<double>(shape));
    void* to = out.mutable_data();
    const auto* known = state.data();
    const auto* attenuation = factor.data();
    {
        const py::gil_scoped_release nogil;
        usfast::confidence_maps(in, known, per_image, attenuation, options, to, progress_to_python(callback));
    }
    return out;
}

// Writes the maps of images (N, H, W) to `out`, of that shape, as are needle and artifact.
void directed_maps(const Array<double>& images, const std::optional<Array<double>>& needle,
                   const std::optional<Array<double>>& artifact, const Array<double>& spread, const Array<double>& loss,
                   const std::optional<Array<double>>& cap, double power, bool on_edge, int threads,
                   Array<double>& out) {
    require(images.ndim() == 3, "images must be (N, H, W)");
    const py::ssize_t n = images.shape(0), h = images.shape(1), w = images.shape(2);
    require(n >= 0 && h >= 1 && w >= 1, "images must have pixels");
    for (const auto* given : {&needle, &artifact})
        require(!given->has_value() || has_shape(given->value(), {n, h, w}),
                "probabilities must have the images' shape");
    require(out.writeable() && has_shape(out, {n, h, w}), "out must have the images' shape");
    require(has_shape(spread, {usfast::directed_shares}) && has_shape(loss, {h - 1}),
            "spread or loss has no fit shape");
    require(!cap || has_shape(*cap, {h}), "cap must be (H)");
    require(power > 0 && std::isfinite(power) && threads >= 1, "power or threads out of range");
    const usfast::DirectedOptions options{spread.data(), loss.data(), cap ? cap->data() : nullptr,
                                          power,         on_edge,     threads};
    const double* in = images.data();
    const double* needles = needle ? needle->data() : nullptr;
    const double* artifacts = artifact ? artifact->data() : nullptr;
    double* to = out.mutable_data();
    const Callback nobody;
    const py::gil_scoped_release nogil;
    usfast::directed_maps(in, needles, artifacts, n, h, w, options, to, progress_to_python(nobody));
}

}  // namespace

void bind_confidence(py::module_& module) {
    module.def("confidence_maps", &confidence_maps, py::arg("images").noconvert(), py::arg("state").noconvert(),
               py::arg("factor").noconvert(), py::arg("beta"), py::arg("penalty"), py::arg("floor"),
               py::arg("normalise"), py::arg("single"), py::arg("threads"), py::arg("progress"));
    module.def("directed_maps", &directed_maps, py::arg("images").noconvert(), py::arg("needle").noconvert(),
               py::arg("artifact").noconvert(), py::arg("spread").noconvert(), py::arg("loss").noconvert(),
               py::arg("cap").noconvert(), py::arg("power"), py::arg("on_edge"), py::arg("threads"),
               py::arg("out").noconvert());
    module.def("confidence_bytes", &usfast::confidence_bytes, py::arg("height"), py::arg("width"), py::arg("single"));
    module.def("confidence_forget", &usfast::confidence_forget);
}
