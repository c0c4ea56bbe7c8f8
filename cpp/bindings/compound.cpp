#include "usfast/compound.hpp"

#include "importance.hpp"

namespace {

using usfast::CompoundOptions;
using usfast::FrameStack;
using usfast::GridSize;

CompoundOptions options_of(const std::string& method, const std::string& mode, int radius, double sigma, int classes,
                           int threads, bool statistics) {
    CompoundOptions options;
    options.method = method == "nearest"  ? usfast::Method::nearest
                     : method == "linear" ? usfast::Method::linear
                                          : usfast::Method::gaussian;
    options.mode = mode == "maximum"  ? usfast::Mode::maximum
                   : mode == "latest" ? usfast::Mode::latest
                   : mode == "vote"   ? usfast::Mode::vote
                                      : usfast::Mode::mean;
    options.radius = radius, options.sigma = sigma, options.classes = classes, options.threads = threads;
    options.statistics = statistics;
    require(!statistics || options.mode == usfast::Mode::mean, "statistics are those of a mean");
    return options;
}

template <typename T>
using Wanted = std::optional<Array<T>>;  // a result, or None where it was not asked for

template <typename T>
Wanted<T> if_wanted(bool wanted, const std::array<py::ssize_t, 3>& shape) {
    if (!wanted) return std::nullopt;
    return Array<T>(shape);
}

template <typename T>
T* data_of(Wanted<T>& array) {
    return array ? array->mutable_data() : nullptr;
}

// (volume, weight or None, variance or None, hits or None)
template <typename T>
py::tuple compound(const Array<T>& frames, const Array<std::int64_t>& index, const Array<double>& image_to_voxel,
                   const std::array<std::int64_t, 3>& size, const std::string& method, const std::string& mode,
                   int radius, double sigma, int classes, const std::optional<Array<std::uint8_t>>& mask,
                   const std::optional<Array<float>>& importance, bool weighed, bool statistics, int threads,
                   const Callback& callback) {
    require_frames(frames, index);
    const auto count = frames.shape(0), height = frames.shape(1), width = frames.shape(2);
    require(has_shape(image_to_voxel, {index.shape(0), 3, 4}), "image_to_voxel must be (M, 3, 4)");
    require(!mask || has_shape(*mask, {height, width}), "mask must be (H, W)");
    for (const auto n : size) require(n > 0 && n < 1000000000, "size must be positive and below 1e9");
    require(threads >= 1 && radius >= 0 && radius <= 16 && sigma > 0, "threads, radius or sigma out of range");

    const CompoundOptions options = options_of(method, mode, radius, sigma, classes, threads, statistics);
    const bool vote = options.mode == usfast::Mode::vote;
    if (vote) {
        require(std::is_same_v<T, std::uint8_t> && classes >= 1 && classes <= 256, "votes need uint8 class indices");
        const auto* pixel = frames.data();
        for (py::ssize_t i = 0; i < frames.size(); ++i)
            require(static_cast<int>(pixel[i]) < classes, "class index out of range");
    }

    FrameStack stack{frames.data(),
                     std::is_same_v<T, std::uint8_t> ? usfast::Dtype::uint8 : usfast::Dtype::float32,
                     height,
                     width,
                     index.shape(0),
                     index.data(),
                     image_to_voxel.data(),
                     mask ? mask->data() : nullptr,
                     nullptr,
                     {0, 0, 0}};
    if (importance) set_importance(stack, *importance, count);

    const std::array<py::ssize_t, 3> shape{size[2], size[1], size[0]};
    py::array volume = vote ? py::array(Array<std::uint8_t>(shape)) : py::array(Array<float>(shape));
    Wanted<float> weight = if_wanted<float>(weighed, shape), variance = if_wanted<float>(statistics, shape);
    Wanted<std::uint32_t> hits = if_wanted<std::uint32_t>(statistics, shape);
    const usfast::CompoundResults results{volume.mutable_data(), data_of(weight), data_of(variance), data_of(hits)};
    {
        const py::gil_scoped_release nogil;
        usfast::compound(stack, GridSize{size[0], size[1], size[2]}, options, results, progress_to_python(callback));
    }
    return py::make_tuple(volume, weight, variance, hits);
}

std::int64_t scratch(const Array<double>& image_to_voxel, const std::array<std::int64_t, 3>& size,
                     const std::string& method, const std::string& mode, int radius, int classes, bool statistics,
                     int threads) {
    require(image_to_voxel.ndim() == 3 && has_shape(image_to_voxel, {image_to_voxel.shape(0), 3, 4}),
            "image_to_voxel must be (M, 3, 4)");
    for (const auto n : size) require(n > 0 && n < 1000000000, "size must be positive and below 1e9");
    require(threads >= 1 && radius >= 0 && radius <= 16, "threads or radius out of range");
    FrameStack stack{};
    stack.used = image_to_voxel.shape(0), stack.image_to_voxel = image_to_voxel.data();
    return usfast::compound_scratch(stack, GridSize{size[0], size[1], size[2]},
                                    options_of(method, mode, radius, 1.0, classes, threads, statistics));
}

template <typename T>
void define(py::module_& module) {
    module.def("compound", &compound<T>, py::arg("frames").noconvert(), py::arg("index").noconvert(),
               py::arg("image_to_voxel").noconvert(), py::arg("size"), py::arg("method"), py::arg("mode"),
               py::arg("radius"), py::arg("sigma"), py::arg("classes"), py::arg("mask").noconvert(),
               py::arg("importance").noconvert(), py::arg("weighed"), py::arg("statistics"), py::arg("threads"),
               py::arg("progress"));
}

}  // namespace

void bind_compound(py::module_& module) {
    define<std::uint8_t>(module);
    define<float>(module);
    module.def("compound_scratch", &scratch, py::arg("image_to_voxel").noconvert(), py::arg("size"), py::arg("method"),
               py::arg("mode"), py::arg("radius"), py::arg("classes"), py::arg("statistics"), py::arg("threads"));
}
