#include "usfast/plus.hpp"

#include "bindings.hpp"

namespace {

namespace plus = usfast::plus;

std::array<py::ssize_t, 3> shape_of(const std::array<std::int64_t, 3>& size) { return {size[2], size[1], size[0]}; }

template <typename T>
constexpr usfast::Dtype dtype = std::is_same_v<T, std::uint8_t> ? usfast::Dtype::uint8 : usfast::Dtype::float32;

template <typename T>
py::tuple paste(const Array<T>& frames, const Array<std::int64_t>& index, const Array<double>& image_to_voxel,
                const std::array<std::int64_t, 3>& size, const std::string& interpolation,
                const std::string& optimization, const std::string& compounding,
                const std::array<std::int64_t, 4>& clip, const std::optional<Array<double>>& fan_tangent,
                const std::array<double, 2>& fan_origin, const std::array<double, 2>& fan_radius,
                const std::optional<double>& reject_below, const std::optional<Array<std::uint8_t>>& importance,
                int threads, const Callback& callback) {
    require_frames(frames, index);
    const auto height = frames.shape(1), width = frames.shape(2);
    require(has_shape(image_to_voxel, {index.shape(0), 4, 4}), "image_to_voxel must be (M, 4, 4)");
    require(!fan_tangent || has_shape(*fan_tangent, {index.shape(0), 2}), "fan_tangent must be (M, 2)");
    require(!importance || has_shape(*importance, {height, width}), "importance must be (H, W)");
    require(clip[0] >= 0 && clip[1] >= 0 && clip[2] < width && clip[3] < height, "clip must lie in the image");
    for (const auto n : size) require(n > 0 && n < 131072, "size must be positive and below 131072");
    require(threads >= 1, "threads must be positive");

    plus::Settings settings;
    settings.interpolation = interpolation == "LINEAR" ? plus::Interpolation::linear : plus::Interpolation::nearest;
    settings.optimization = optimization == "FULL"      ? plus::Optimization::full
                            : optimization == "PARTIAL" ? plus::Optimization::partial
                                                        : plus::Optimization::none;
    settings.compounding = compounding == "LATEST"    ? plus::Compounding::latest
                           : compounding == "MAXIMUM" ? plus::Compounding::maximum
                           : compounding == "MEAN"    ? plus::Compounding::mean
                                                      : plus::Compounding::importance;
    require(settings.compounding != plus::Compounding::importance || importance, "an importance mask is needed");
    std::copy(clip.begin(), clip.end(), settings.clip);
    settings.fan = fan_tangent.has_value();
    std::copy(fan_origin.begin(), fan_origin.end(), settings.fan_origin);
    std::copy(fan_radius.begin(), fan_radius.end(), settings.fan_radius);
    settings.reject = reject_below.has_value();
    settings.reject_below = reject_below.value_or(0);
    settings.threads = threads;

    const plus::Frames stack{frames.data(),
                             dtype<T>,
                             height,
                             width,
                             index.shape(0),
                             index.data(),
                             image_to_voxel.data(),
                             fan_tangent ? fan_tangent->data() : nullptr,
                             importance ? importance->data() : nullptr};
    Array<T> volume(shape_of(size));
    Array<std::uint16_t> accumulation(shape_of(size));
    T* volume_data = volume.mutable_data();
    std::uint16_t* accumulation_data = accumulation.mutable_data();
    {
        const py::gil_scoped_release nogil;
        std::fill_n(volume_data, size[0] * size[1] * size[2], T{0});
        std::fill_n(accumulation_data, size[0] * size[1] * size[2], std::uint16_t{0});
        plus::paste(stack, {size[0], size[1], size[2]}, settings, volume_data, accumulation_data,
                    progress_to_python(callback));
    }
    return py::make_tuple(volume, accumulation);
}

using Element = std::tuple<std::string, int, float, float, int, int>;

plus::FillElement element(const Element& e) {
    const auto& [type, size, stdev, ratio, limit, sticks] = e;
    require(type == "STICK" ? limit >= 2 && sticks >= 1 : size >= 1 && size <= 255,
            "hole filling element out of range");
    const plus::Filler filler = type == "STICK"                     ? plus::Filler::stick
                                : type == "GAUSSIAN"                ? plus::Filler::gaussian
                                : type == "GAUSSIAN_ACCUMULATION"   ? plus::Filler::gaussian_accumulation
                                : type == "DISTANCE_WEIGHT_INVERSE" ? plus::Filler::inverse_distance
                                                                    : plus::Filler::nearest;
    return {filler, size, stdev, ratio, limit, sticks};
}

template <typename T>
py::tuple fill(const Array<T>& volume, const Array<std::uint16_t>& accumulation, const std::vector<Element>& elements,
               int threads, const Callback& callback) {
    require(volume.ndim() == 3, "volume must be (Z, Y, X)");
    const std::array<py::ssize_t, 3> shape{volume.shape(0), volume.shape(1), volume.shape(2)};
    require(has_shape(accumulation, {shape[0], shape[1], shape[2]}), "accumulation must have the volume's shape");
    require(threads >= 1, "threads must be positive");
    std::vector<plus::FillElement> chain;
    for (const Element& e : elements) chain.push_back(element(e));
    Array<T> out(shape);
    Array<bool> filled(shape);
    T* out_data = out.mutable_data();
    auto* filled_data = reinterpret_cast<std::uint8_t*>(filled.mutable_data());
    {
        const py::gil_scoped_release nogil;
        plus::fill_holes(volume.data(), accumulation.data(), dtype<T>, {shape[2], shape[1], shape[0]}, chain, threads,
                         out_data, filled_data, progress_to_python(callback));
    }
    return py::make_tuple(out, filled);
}

template <typename T>
void define(py::module_& module) {
    module.def("plus_paste", &paste<T>, py::arg("frames").noconvert(), py::arg("index").noconvert(),
               py::arg("image_to_voxel").noconvert(), py::arg("size"), py::arg("interpolation"),
               py::arg("optimization"), py::arg("compounding"), py::arg("clip"), py::arg("fan_tangent").noconvert(),
               py::arg("fan_origin"), py::arg("fan_radius"), py::arg("reject_below"), py::arg("importance").noconvert(),
               py::arg("threads"), py::arg("progress"));
    module.def("plus_fill", &fill<T>, py::arg("volume").noconvert(), py::arg("accumulation").noconvert(),
               py::arg("elements"), py::arg("threads"), py::arg("progress"));
}

}  // namespace

void bind_plus(py::module_& module) {
    define<std::uint8_t>(module);
    define<float>(module);
}
