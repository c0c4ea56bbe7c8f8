#include "usfast/simulate.hpp"

#include <cmath>
#include <complex>
#include <memory>
#include <vector>

#include "bindings.hpp"

namespace {

using Complex = std::complex<float>;

// The vector's memory as a NumPy array, without a copy.
Array<float> owned(std::vector<float>&& values, std::vector<py::ssize_t> shape) {
    auto kept = std::make_unique<std::vector<float>>(std::move(values));
    const float* data = kept->data();
    const py::capsule owner(kept.get(), [](void* p) { delete static_cast<std::vector<float>*>(p); });
    kept.release();
    return Array<float>(std::move(shape), data, owner);
}

py::tuple find_scatterers(double radius, double first_depth, double step, const Array<float>& lateral_limit,
                          const Array<float>& elevation_limit, const Array<double>& probe_to_world, double pitch,
                          std::uint64_t seed) {
    require(lateral_limit.ndim() == 1 && lateral_limit.shape(0) >= 1, "lateral_limit must be (rows,)");
    require(has_shape(elevation_limit, {lateral_limit.shape(0)}), "elevation_limit must be (rows,)");
    require(has_shape(probe_to_world, {4, 4}), "probe_to_world must be (4, 4)");
    require(radius >= 0 && step > 0 && pitch > 0, "radius, step or pitch out of range");
    for (py::ssize_t i = 0; i < 16; ++i)
        require(std::abs(probe_to_world.data()[i]) < 1e7, "probe_to_world must lie within 1e7 mm");
    usfast::Scatterers found;
    {
        const py::gil_scoped_release nogil;
        found = usfast::find_scatterers(
            {radius, first_depth, step, lateral_limit.shape(0), lateral_limit.data(), elevation_limit.data()},
            probe_to_world.data(), pitch, seed);
    }
    const auto count = static_cast<py::ssize_t>(found.depth.size());
    return py::make_tuple(owned(std::move(found.world), {count, 3}), owned(std::move(found.lateral), {count}),
                          owned(std::move(found.depth), {count}), owned(std::move(found.elevation), {count}),
                          owned(std::move(found.amplitude), {count}));
}

Array<Complex> sum_echoes(py::ssize_t lines, double first_line, double line_step, double sample_step,
                          double pulse_sigma, double cycles_per_mm, double cutoff, const Array<float>& lateral_sigma,
                          const Array<float>& elevational_sigma, const Array<float>& gain, const Array<float>& lateral,
                          const Array<float>& depth, const Array<float>& elevation, const Array<float>& amplitude) {
    const py::ssize_t samples = gain.ndim() == 1 ? gain.shape(0) : 0, count = depth.ndim() == 1 ? depth.shape(0) : 0;
    require(lines >= 1 && lines < 65536 && samples >= 1 && samples < 1048576, "lines or samples out of range");
    require(line_step > 0 && sample_step > 0 && cutoff > 0, "steps and cutoff must be positive");
    require(pulse_sigma > 0 && 6 * pulse_sigma <= (usfast::pulse_taps - 1) * sample_step, "pulse_sigma out of range");
    for (const auto* table : {&lateral_sigma, &elevational_sigma, &gain})
        require(has_shape(*table, {samples}), "tables must be (samples,)");
    for (py::ssize_t s = 0; s < samples; ++s)
        require(lateral_sigma.at(s) > 0 && lateral_sigma.at(s) < 1e4F && elevational_sigma.at(s) > 0,
                "sigma out of range");
    for (const auto* values : {&lateral, &depth, &elevation, &amplitude})
        require(has_shape(*values, {count}), "echoes must be (count,)");
    Array<Complex> out({lines, samples});
    Complex* out_data = out.mutable_data();
    {
        const py::gil_scoped_release nogil;
        usfast::sum_echoes({lines, samples, first_line, line_step, sample_step, pulse_sigma, cycles_per_mm, cutoff,
                            lateral_sigma.data(), elevational_sigma.data(), gain.data()},
                           {lateral.data(), depth.data(), elevation.data(), amplitude.data(), count}, out_data);
    }
    return out;
}

Array<float> scan_convert(const Array<Complex>& speckle, const std::optional<Array<Complex>>& interfaces,
                          const Array<float>& place) {
    require(speckle.ndim() == 2 && speckle.shape(0) >= 2 && speckle.shape(1) >= 2, "speckle must be (lines, samples)");
    require(!interfaces || has_shape(*interfaces, {speckle.shape(0), speckle.shape(1)}),
            "interfaces must have the speckle's shape");
    require(place.ndim() == 3 && place.shape(2) == 2, "place must be (H, W, 2)");
    Array<float> out({place.shape(0), place.shape(1)});
    float* out_data = out.mutable_data();
    const Complex* bright = interfaces ? interfaces->data() : nullptr;
    {
        const py::gil_scoped_release nogil;
        usfast::scan_convert(speckle.data(), bright, speckle.shape(0), speckle.shape(1), place.data(),
                             place.shape(0) * place.shape(1), out_data);
    }
    return out;
}

}  // namespace

void bind_simulate(py::module_& module) {
    module.def("find_scatterers", &find_scatterers, py::arg("radius"), py::arg("first_depth"), py::arg("step"),
               py::arg("lateral_limit").noconvert(), py::arg("elevation_limit").noconvert(),
               py::arg("probe_to_world").noconvert(), py::arg("pitch"), py::arg("seed"));
    module.def("sum_echoes", &sum_echoes, py::arg("lines"), py::arg("first_line"), py::arg("line_step"),
               py::arg("sample_step"), py::arg("pulse_sigma"), py::arg("cycles_per_mm"), py::arg("cutoff"),
               py::arg("lateral_sigma").noconvert(), py::arg("elevational_sigma").noconvert(),
               py::arg("gain").noconvert(), py::arg("lateral").noconvert(), py::arg("depth").noconvert(),
               py::arg("elevation").noconvert(), py::arg("amplitude").noconvert());
    module.def("scan_convert", &scan_convert, py::arg("speckle").noconvert(), py::arg("interfaces").noconvert(),
               py::arg("place").noconvert());
}
