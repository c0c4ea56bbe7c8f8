#include "usfast/beamform.hpp"

#include <complex>
#include <tuple>
#include <vector>

#include "bindings.hpp"

namespace {

// One transmit event: kind of wave, point, reference, time of the first sample, delays of the elements.
using TransmitTuple =
    std::tuple<std::string, std::array<double, 3>, std::array<double, 3>, double, std::optional<Array<double>>>;

std::vector<usfast::Transmit> read_transmits(const std::vector<TransmitTuple>& tuples, py::ssize_t elements) {
    std::vector<usfast::Transmit> transmits;
    for (const auto& [wave, point, reference, start, delays] : tuples) {
        usfast::Transmit t{};
        t.wave = wave == "plane"    ? usfast::Wave::plane
                 : wave == "source" ? usfast::Wave::source
                                    : usfast::Wave::elements;
        std::copy(point.begin(), point.end(), t.point);
        std::copy(reference.begin(), reference.end(), t.reference);
        t.start = start;
        if (t.wave == usfast::Wave::elements) {
            require(delays && has_shape(*delays, {elements}), "delays must be (elements,)");
            t.delays = delays->data();
        }
        transmits.push_back(t);
    }
    return transmits;
}

usfast::BeamformOptions read_options(const std::string& interpolation, const std::string& window, double taper,
                                     double f_number, double speed, double sampling, double demodulation, bool compound,
                                     int threads) {
    require(speed > 0 && sampling > 0 && f_number >= 0 && taper >= 0 && threads >= 1, "an option is out of range");
    usfast::BeamformOptions o;
    o.interpolation = interpolation == "nearest"  ? usfast::Interpolation::nearest
                      : interpolation == "linear" ? usfast::Interpolation::linear
                                                  : usfast::Interpolation::cubic;
    o.window = window == "boxcar"    ? usfast::Window::boxcar
               : window == "hann"    ? usfast::Window::hann
               : window == "hamming" ? usfast::Window::hamming
                                     : usfast::Window::tukey;
    o.taper = taper, o.f_number = f_number, o.speed = speed, o.sampling_frequency = sampling;
    o.demodulation_frequency = demodulation, o.compound = compound, o.threads = threads;
    return o;
}

template <typename T>
py::tuple beamform(const Array<T>& data, const Array<double>& positions, const Array<double>& normals,
                   const std::vector<TransmitTuple>& transmit_tuples, const Array<double>& points,
                   const std::optional<Array<float>>& weights, const usfast::BeamformOptions& options,
                   const Callback& callback) {
    require(data.ndim() == 3, "data must be (transmits, elements, samples)");
    const py::ssize_t elements = data.shape(1), count = points.shape(0);
    const auto transmits = read_transmits(transmit_tuples, elements);
    require(has_shape(positions, {elements, 3}) && has_shape(normals, {elements, 3}), "elements must be (E, 3)");
    require(data.shape(0) == static_cast<py::ssize_t>(transmits.size()) && data.shape(0) >= 1 && elements >= 1,
            "one transmit for each first index of data");
    require(has_shape(points, {count, 3}), "points must be (P, 3)");
    require(!weights || has_shape(*weights, {data.shape(0), count}), "weights must be (transmits, points)");
    constexpr bool complex = !std::is_same_v<T, float>;
    const usfast::Channels channels{reinterpret_cast<const float*>(data.data()), complex, data.shape(0), elements,
                                    data.shape(2)};
    require(channels.samples >= 4 && usfast::delay_bits(channels, positions.data(), options) > 0,
            "samples out of range");
    std::vector<py::ssize_t> shape{count};
    if (!options.compound) shape.insert(shape.begin(), data.shape(0));
    Array<T> out(shape);
    auto* out_data = reinterpret_cast<float*>(out.mutable_data());
    std::int64_t behind = 0;
    {
        const py::gil_scoped_release nogil;
        usfast::delay_and_sum(channels, positions.data(), normals.data(), transmits.data(), points.data(), count,
                              weights ? weights->data() : nullptr, options, out_data, &behind,
                              progress_to_python(callback));
    }
    return py::make_tuple(out, behind);
}

template <typename T>
py::tuple delay_and_sum(const Array<T>& data, const Array<double>& positions, const Array<double>& normals,
                        const std::vector<TransmitTuple>& transmits, const Array<double>& points,
                        const std::optional<Array<float>>& weights, const std::string& interpolation,
                        const std::string& window, double taper, double f_number, double speed, double sampling,
                        double demodulation, bool compound, int threads, const Callback& callback) {
    const auto options =
        read_options(interpolation, window, taper, f_number, speed, sampling, demodulation, compound, threads);
    return beamform<T>(data, positions, normals, transmits, points, weights, options, callback);
}

template <typename T>
void define(py::module_& module) {
    module.def("delay_and_sum", &delay_and_sum<T>, py::arg("data").noconvert(), py::arg("positions").noconvert(),
               py::arg("normals").noconvert(), py::arg("transmits"), py::arg("points").noconvert(), py::arg("weights"),
               py::arg("interpolation"), py::arg("window"), py::arg("taper"), py::arg("f_number"), py::arg("speed"),
               py::arg("sampling"), py::arg("demodulation"), py::arg("compound"), py::arg("threads"),
               py::arg("progress"));
}

}  // namespace

void bind_beamform(py::module_& module) {
    define<float>(module);
    define<std::complex<float>>(module);
}
