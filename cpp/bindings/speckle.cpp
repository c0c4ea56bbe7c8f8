#include "usfast/speckle.hpp"

#include "bindings.hpp"

namespace {

usfast::Patches patches_of(const Array<std::int64_t>& corners, py::ssize_t rows, py::ssize_t columns,
                           py::ssize_t height, py::ssize_t width) {
    require(corners.ndim() == 2 && corners.shape(0) >= 1 && corners.shape(1) == 2, "corners must be (P, 2)");
    require(rows >= 1 && columns >= 1 && rows * columns <= 32768, "patches must have 1 to 32768 pixels");
    for (py::ssize_t p = 0; p < corners.shape(0); ++p)
        require(corners.at(p, 0) >= 0 && corners.at(p, 0) <= height - rows && corners.at(p, 1) >= 0 &&
                    corners.at(p, 1) <= width - columns,
                "patches must lie in the frames");
    return {corners.data(), corners.shape(0), rows, columns};
}

template <typename T>
usfast::Frames<T> frames_of(const Array<T>& frames) {
    require(frames.ndim() == 3 && frames.shape(0) >= 1, "frames must be (N, H, W)");
    return {frames.data(), frames.shape(0), frames.shape(1), frames.shape(2)};
}

template <typename T>
Array<float> correlate_pairs(const Array<T>& frames, const Array<std::int64_t>& corners, py::ssize_t rows,
                             py::ssize_t columns, py::ssize_t window, int threads, const Callback& callback) {
    const usfast::Frames<T> stack = frames_of(frames);
    const usfast::Patches patches = patches_of(corners, rows, columns, stack.height, stack.width);
    require(window >= 1 && threads >= 1, "window or threads out of range");
    Array<float> out(std::array<py::ssize_t, 3>{stack.count, window, patches.count});
    float* data = out.mutable_data();
    {
        const py::gil_scoped_release nogil;
        usfast::correlate_pairs(stack, patches, window, threads, data, progress_to_python(callback));
    }
    return out;
}

template <typename T>
void bind_correlate_pairs(py::module_& module) {
    module.def("correlate_pairs", &correlate_pairs<T>, py::arg("frames").noconvert(), py::arg("corners").noconvert(),
               py::arg("rows"), py::arg("columns"), py::arg("window"), py::arg("threads"), py::arg("progress"));
}

py::tuple track_patches(const Array<std::uint8_t>& frames, const Array<std::int64_t>& corners, py::ssize_t rows,
                        py::ssize_t columns, const Array<std::int64_t>& pairs, py::ssize_t search, int threads,
                        const Callback& callback) {
    const auto stack = frames_of(frames);
    const usfast::Patches patches = patches_of(corners, rows, columns, stack.height, stack.width);
    require(pairs.ndim() == 2 && pairs.shape(1) == 2, "pairs must be (K, 2)");
    for (py::ssize_t k = 0; k < pairs.size(); ++k)
        require(pairs.data()[k] >= 0 && pairs.data()[k] < stack.count, "pairs must lie in the frames");
    require(search >= 1 && search <= 255 && threads >= 1, "search or threads out of range");
    Array<float> shift(std::array<py::ssize_t, 3>{pairs.shape(0), patches.count, 2});
    Array<float> correlation(std::array<py::ssize_t, 2>{pairs.shape(0), patches.count});
    Array<bool> rim(std::array<py::ssize_t, 2>{pairs.shape(0), patches.count});
    const usfast::PatchMotion motion{shift.mutable_data(), correlation.mutable_data(),
                                     reinterpret_cast<std::uint8_t*>(rim.mutable_data())};
    {
        const py::gil_scoped_release nogil;
        usfast::track_patches(stack, patches, pairs.data(), pairs.shape(0), search, threads, motion,
                              progress_to_python(callback));
    }
    return py::make_tuple(shift, correlation, rim);
}

}  // namespace

void bind_speckle(py::module_& module) {
    bind_correlate_pairs<std::uint8_t>(module);
    bind_correlate_pairs<float>(module);
    module.def("track_patches", &track_patches, py::arg("frames").noconvert(), py::arg("corners").noconvert(),
               py::arg("rows"), py::arg("columns"), py::arg("pairs").noconvert(), py::arg("search"), py::arg("threads"),
               py::arg("progress"));
}
