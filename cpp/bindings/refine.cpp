#include "usfast/refine.hpp"

#include <cmath>

#include "bindings.hpp"

namespace {

void require_finite(const Array<double>& array, const char* what) {
    for (py::ssize_t i = 0; i < array.size(); ++i) require(std::isfinite(array.data()[i]), what);
}

py::tuple match_frames(const Array<float>& volume, const std::array<double, 3>& spacing, const Array<float>& frames,
                       const Array<double>& pixel_to_voxel, const Array<double>& pivots, int threads,
                       const Callback& callback) {
    require(volume.ndim() == 3, "volume must be (Z, Y, X)");
    for (int a = 0; a < 3; ++a) {
        require(volume.shape(a) > 0 && volume.shape(a) < 1000000000, "sides of the volume must be from 1 to 1e9");
        require(std::isfinite(spacing[static_cast<std::size_t>(a)]) && spacing[static_cast<std::size_t>(a)] > 0,
                "spacing must be positive");
    }
    require(frames.ndim() == 3 && frames.shape(1) < (1 << 30) && frames.shape(2) < (1 << 30),
            "frames must be (N, H, W)");
    const py::ssize_t count = frames.shape(0);
    require(has_shape(pixel_to_voxel, {count, 3, 4}), "pixel_to_voxel must be (N, 3, 4)");
    require(has_shape(pivots, {count, 3}), "pivots must be (N, 3)");
    require_finite(pixel_to_voxel, "pixel_to_voxel must be finite");
    require_finite(pivots, "pivots must be finite");
    require(threads >= 1, "threads out of range");
    Array<double> ncc(count), gradient({count, py::ssize_t{6}}), hessian({count, py::ssize_t{6}, py::ssize_t{6}});
    Array<std::int64_t> used(count);
    const usfast::FixedVolume fixed{
        volume.data(), {volume.shape(2), volume.shape(1), volume.shape(0)}, {spacing[0], spacing[1], spacing[2]}};
    const usfast::MovingFrames moving{frames.data(),         count,        frames.shape(1), frames.shape(2),
                                      pixel_to_voxel.data(), pivots.data()};
    const usfast::Matches matches{ncc.mutable_data(), used.mutable_data(), gradient.mutable_data(),
                                  hessian.mutable_data()};
    {
        const py::gil_scoped_release nogil;
        usfast::match_frames(fixed, moving, threads, matches, progress_to_python(callback));
    }
    return py::make_tuple(ncc, used, gradient, hessian);
}

}  // namespace

void bind_refine(py::module_& module) {
    module.def("match_frames", &match_frames, py::arg("volume").noconvert(), py::arg("spacing"),
               py::arg("frames").noconvert(), py::arg("pixel_to_voxel").noconvert(), py::arg("pivots").noconvert(),
               py::arg("threads"), py::arg("progress"));
}
