// What every binding file needs: array types, checks and the bridge from a kernel's progress to Python.
#pragma once

#include <pybind11/functional.h>
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <string>

#include "usfast/parallel.hpp"

namespace py = pybind11;

template <typename T>
using Array = py::array_t<T, py::array::c_style>;

using Callback = std::optional<py::function>;

// Python has checked the arguments in the user's words; this only keeps a slip there from reaching raw memory.
inline void require(bool holds, const char* what) {
    if (!holds) throw py::value_error(std::string("usfast._core: ") + what);
}

template <typename T>
bool has_shape(const py::array_t<T, py::array::c_style>& array, std::initializer_list<py::ssize_t> shape) {
    return array.ndim() == static_cast<py::ssize_t>(shape.size()) &&
           std::equal(shape.begin(), shape.end(), array.shape());
}

// Frames (N, H, W) and the indices (M) of those to use.
template <typename T>
void require_frames(const Array<T>& frames, const Array<std::int64_t>& index) {
    require(frames.ndim() == 3, "frames must be (N, H, W)");
    require(index.ndim() == 1, "index must be (M,)");
    for (py::ssize_t i = 0; i < index.shape(0); ++i)
        require(index.at(i) >= 0 && index.at(i) < frames.shape(0), "index must lie in the frames");
}

// Let Python see Ctrl-C and the progress callback, at most every 50 ms. Call with the GIL released.
inline usfast::Progress progress_to_python(const Callback& callback) {
    using clock = std::chrono::steady_clock;
    return [&callback, last = clock::now() - std::chrono::seconds(1)](std::int64_t done, std::int64_t total) mutable {
        const auto now = clock::now();
        if (done != total && now - last < std::chrono::milliseconds(50)) return true;
        last = now;
        const py::gil_scoped_acquire gil;
        if (PyErr_CheckSignals() != 0) throw py::error_already_set();
        if (callback) (*callback)(done, total);
        return true;
    };
}

void bind_compound(py::module_& module);
void bind_fill(py::module_& module);
void bind_plus(py::module_& module);
void bind_resample(py::module_& module);
void bind_surface(py::module_& module);
void bind_simulate(py::module_& module);
void bind_beamform(py::module_& module);
void bind_speckle(py::module_& module);
void bind_tracking(py::module_& module);
void bind_confidence(py::module_& module);
void bind_interpolate(py::module_& module);
void bind_functions(py::module_& module);
void bind_bricks(py::module_& module);
void bind_refine(py::module_& module);
void bind_confidence_volume(py::module_& module);
void bind_labels(py::module_& module);
void bind_seeds(py::module_& module);
