#include "usfast/labels.hpp"

#include "bindings.hpp"

namespace {

using usfast::ToPlane;

void copy_planes(const Array<double>& from, ToPlane* to) {
    for (py::ssize_t n = 0; n < from.shape(0); ++n) std::copy_n(from.data() + 12 * n, 12, to[n].begin());
}

// fields (4, H, W): earlier, before, after, later; `present` says which of the outer two hold something.
Array<float> blend_distances(const Array<float>& fields, const std::array<bool, 2>& present,
                             const Array<double>& to_field, const Array<double>& bracket,
                             const std::array<double, 3>& way, const Array<double>& discs, const Array<double>& frames,
                             const Array<double>& share, int ends, int threads) {
    require(fields.ndim() == 3 && fields.shape(0) == 4, "fields must be (4, H, W)");
    require(has_shape(to_field, {4, 3, 4}) && has_shape(bracket, {2, 3, 4}), "planes must be (n, 3, 4)");
    require(discs.ndim() == 2 && discs.shape(1) == 8, "discs must be (D, 8)");
    const py::ssize_t count = frames.ndim() == 3 ? frames.shape(0) : 0;
    require(has_shape(frames, {count, 3, 4}) && has_shape(share, {count}), "frames must be (F, 3, 4), share (F,)");
    require(way[0] > 0 && way[1] > 0 && way[2] > 0 && threads >= 1, "way or threads out of range");
    usfast::Blend blend;
    blend.height = fields.shape(1), blend.width = fields.shape(2);
    for (std::size_t n = 0; n < 4; ++n)
        blend.field[n] = n % 3 || present[n / 3]
                             ? fields.data() + static_cast<py::ssize_t>(n) * blend.height * blend.width
                             : nullptr;
    copy_planes(to_field, blend.to_field.data());
    copy_planes(bracket, blend.bracket.data());
    blend.way = way;
    blend.ends = ends;
    std::vector<usfast::DiscPair> pairs;
    for (py::ssize_t n = 0; n < discs.shape(0); ++n) {
        const double* d = discs.data() + 8 * n;
        pairs.push_back({{d[0], d[1], d[2]}, {d[3], d[4], d[5]}, d[6], d[7]});
    }
    Array<float> out({count, fields.shape(1), fields.shape(2)});
    float* data = out.mutable_data();
    {
        const py::gil_scoped_release nogil;
        const Callback none;
        usfast::blend_distances(blend, pairs, frames.data(), share.data(), count, threads, data,
                                progress_to_python(none));
    }
    return out;
}

// Each pass: (labels (N, H, W), known (N, S), mask (H, W) or None, to_frame (N, 3, 4), gaps (G, 8)).
Array<std::uint8_t> paint_labels(const py::list& passes, std::int64_t structures,
                                 const std::array<std::int64_t, 3>& shape, int threads, const Callback& callback) {
    require(structures >= 1 && structures < usfast::kOutside && threads >= 1, "structures or threads out of range");
    for (const std::int64_t size : shape) require(size >= 1, "shape must be positive");
    struct Held {
        Array<std::uint8_t> labels, known;
        std::optional<Array<std::uint8_t>> mask;
        std::vector<ToPlane> planes;
    };
    std::vector<Held> held(passes.size());
    std::vector<usfast::LabelFrames> views;
    for (std::size_t n = 0; n < passes.size(); ++n) {
        const auto pass = passes[n].cast<py::tuple>();
        require(pass.size() == 5, "a pass has five entries");
        Held& h = held[n];
        h.labels = pass[0].cast<Array<std::uint8_t>>(), h.known = pass[1].cast<Array<std::uint8_t>>();
        require(h.labels.ndim() == 3, "labels must be (N, H, W)");
        const py::ssize_t frames = h.labels.shape(0), height = h.labels.shape(1), width = h.labels.shape(2);
        require(has_shape(h.known, {frames, structures}), "known must be (N, S)");
        if (!pass[2].is_none()) {
            h.mask = pass[2].cast<Array<std::uint8_t>>();
            require(has_shape(*h.mask, {height, width}), "mask must be (H, W)");
        }
        const auto planes = pass[3].cast<Array<double>>();
        require(has_shape(planes, {frames, 3, 4}), "to_frame must be (N, 3, 4)");
        h.planes.resize(static_cast<std::size_t>(frames));
        copy_planes(planes, h.planes.data());
        for (py::ssize_t p = 0; p < h.labels.size(); ++p)
            require(h.labels.data()[p] <= structures, "labels must be codes of structures");
        usfast::LabelFrames view{h.labels.data(),
                                 h.known.data(),
                                 h.mask ? h.mask->data() : nullptr,
                                 frames,
                                 height,
                                 width,
                                 h.planes.data(),
                                 {}};
        const auto gaps = pass[4].cast<Array<std::int64_t>>();
        require(gaps.ndim() == 2 && gaps.shape(1) == 8, "gaps must be (G, 8)");
        for (py::ssize_t g = 0; g < gaps.shape(0); ++g) {
            std::array<std::int64_t, 8> gap;
            std::copy_n(gaps.data() + 8 * g, 8, gap.begin());
            require(gap[0] >= 0 && gap[0] < frames && gap[1] >= 0 && gap[1] < frames, "gaps must name frames");
            for (std::size_t a = 0; a < 3; ++a)
                require(gap[2 + 2 * a] >= 0 && gap[3 + 2 * a] <= shape[2 - a], "gaps must lie in the grid");
            view.gaps.push_back(gap);
        }
        views.push_back(view);
    }
    Array<std::uint8_t> codes({shape[0], shape[1], shape[2]});
    std::uint8_t* data = codes.mutable_data();
    {
        const py::gil_scoped_release nogil;
        usfast::paint_labels(views, structures, shape, threads, data, progress_to_python(callback));
    }
    return codes;
}

py::tuple smooth_codes(const Array<std::uint8_t>& codes, const Array<float>& kernel, bool planar,
                       const Array<float>& bonus, bool count, int threads, const Callback& callback) {
    require(codes.ndim() == 3, "codes must be (Z, Y, X)");
    require(kernel.ndim() == 1 && kernel.size() % 2 == 1 && kernel.size() <= 101, "kernel must be odd");
    require(bonus.ndim() == 1 && bonus.size() >= 1 && bonus.size() < usfast::kOutside && threads >= 1,
            "bonus or threads out of range");
    usfast::Smoothing smoothing;
    smoothing.kernel.assign(kernel.data(), kernel.data() + kernel.size());
    smoothing.bonus.assign(bonus.data(), bonus.data() + bonus.size());
    smoothing.structures = bonus.size(), smoothing.planar = planar, smoothing.threads = threads;
    const std::array<std::int64_t, 3> shape{codes.shape(0), codes.shape(1), codes.shape(2)};
    Array<std::uint8_t> out({shape[0], shape[1], shape[2]});
    Array<std::int64_t> lead({count ? static_cast<std::int64_t>(bonus.size()) : 0, usfast::kBins});
    std::uint8_t* data = out.mutable_data();
    std::int64_t* counts = count ? lead.mutable_data() : nullptr;
    {
        const py::gil_scoped_release nogil;
        usfast::smooth_codes(codes.data(), shape, smoothing, data, counts, progress_to_python(callback));
    }
    return py::make_tuple(out, lead);
}

Array<std::int32_t> dilation_steps(const Array<std::uint8_t>& seed, const Array<std::uint8_t>& region) {
    require(seed.ndim() == 2 && has_shape(region, {seed.shape(0), seed.shape(1)}), "seed and region must be (H, W)");
    Array<std::int32_t> steps({seed.shape(0), seed.shape(1)});
    std::int32_t* data = steps.mutable_data();
    {
        const py::gil_scoped_release nogil;
        usfast::dilation_steps(seed.data(), region.data(), seed.shape(0), seed.shape(1), data);
    }
    return steps;
}

}  // namespace

void bind_labels(py::module_& module) {
    module.def("blend_distances", &blend_distances, py::arg("fields").noconvert(), py::arg("present"),
               py::arg("to_field").noconvert(), py::arg("bracket").noconvert(), py::arg("way"),
               py::arg("discs").noconvert(), py::arg("frames").noconvert(), py::arg("share").noconvert(),
               py::arg("ends"), py::arg("threads"));
    module.def("paint_labels", &paint_labels, py::arg("passes"), py::arg("structures"), py::arg("shape"),
               py::arg("threads"), py::arg("progress"));
    module.def("smooth_codes", &smooth_codes, py::arg("codes").noconvert(), py::arg("kernel").noconvert(),
               py::arg("planar"), py::arg("bonus").noconvert(), py::arg("count"), py::arg("threads"),
               py::arg("progress"));
    module.def("dilation_steps", &dilation_steps, py::arg("seed").noconvert(), py::arg("region").noconvert());
}
