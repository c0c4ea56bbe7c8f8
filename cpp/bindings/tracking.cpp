#include "usfast/tracking.hpp"

#include <cmath>

#include "bindings.hpp"

namespace {

Array<double> displacement_sums(const Array<double>& matrices, std::int64_t height, std::int64_t width, int threads,
                                const Callback& callback) {
    require(matrices.ndim() == 3 && matrices.shape(1) == 3 && matrices.shape(2) == 4, "matrices must be (N, 3, 4)");
    for (py::ssize_t i = 0; i < matrices.size(); ++i)
        require(std::isfinite(matrices.data()[i]), "matrices must be finite");
    require(height > 0 && width > 0 && height < (1 << 30) && width < (1 << 30) && threads >= 1,
            "shape or threads out of range");
    const py::ssize_t count = matrices.shape(0);
    Array<double> sums(count);
    const double* from = matrices.data();
    double* to = sums.mutable_data();
    {
        const py::gil_scoped_release nogil;
        usfast::displacement_sums(from, count, height, width, threads, to, progress_to_python(callback));
    }
    return sums;
}

}  // namespace

void bind_tracking(py::module_& module) {
    module.def("displacement_sums", &displacement_sums, py::arg("matrices").noconvert(), py::arg("height"),
               py::arg("width"), py::arg("threads"), py::arg("progress"));
}
