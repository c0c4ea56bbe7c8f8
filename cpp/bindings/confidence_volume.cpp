#include "usfast/confidence_volume.hpp"

#include <cmath>

#include "bindings.hpp"

namespace {

// The map, whether it is as exact as asked for, the number of iterations, the estimate of the error.
py::tuple confidence_volume(const Array<double>& attenuated, const Array<std::uint8_t>& state, double beta,
                            double gamma, double tolerance, int axis, int most_iterations, int threads,
                            const Callback& callback) {
    require(attenuated.ndim() == 3, "attenuated must be (Z, Y, X)");
    const std::int64_t shape[3] = {attenuated.shape(0), attenuated.shape(1), attenuated.shape(2)};
    require(has_shape(state, {attenuated.shape(0), attenuated.shape(1), attenuated.shape(2)}),
            "state must have the volume's shape");
    for (const std::int64_t n : shape) require(n >= 1 && n < (1 << 24), "the volume must have voxels");
    require(static_cast<double>(shape[0]) * static_cast<double>(shape[1] + 1) * static_cast<double>(shape[2] + 1) <
                2147483647.0,
            "the volume has too many voxels");
    require(beta >= 0 && gamma >= 0 && std::isfinite(beta) && std::isfinite(gamma) && tolerance >= 1e-9 &&
                tolerance <= 1 && axis >= 0 && axis < 3 && most_iterations >= 1 && threads >= 1,
            "beta, gamma, tolerance, axis, most_iterations or threads out of range");
    const usfast::ConfidenceVolumeOptions options{beta, gamma, tolerance, axis, most_iterations, threads};
    Array<double> out({attenuated.shape(0), attenuated.shape(1), attenuated.shape(2)});
    const double* in = attenuated.data();
    const std::uint8_t* known = state.data();
    double* to = out.mutable_data();
    usfast::ConfidenceVolumeResult result{};
    {
        const py::gil_scoped_release nogil;
        result = usfast::confidence_volume(shape, in, known, options, to, progress_to_python(callback));
    }
    return py::make_tuple(out, result.end == usfast::ConfidenceEnd::converged, result.iterations, result.error);
}

double confidence_volume_bytes(std::int64_t z, std::int64_t y, std::int64_t x) {
    const std::int64_t shape[3] = {z, y, x};
    return usfast::confidence_volume_bytes(shape);
}

}  // namespace

void bind_confidence_volume(py::module_& module) {
    module.def("confidence_volume", &confidence_volume, py::arg("attenuated").noconvert(), py::arg("state").noconvert(),
               py::arg("beta"), py::arg("gamma"), py::arg("tolerance"), py::arg("axis"), py::arg("most_iterations"),
               py::arg("threads"), py::arg("progress"));
    module.def("confidence_volume_bytes", &confidence_volume_bytes, py::arg("z"), py::arg("y"), py::arg("x"));
}
