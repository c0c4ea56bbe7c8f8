#include "usfast/surface.hpp"

#include "bindings.hpp"
#include "usfast/confusion.hpp"
#include "usfast/distance_transform.hpp"

namespace {

template <typename T>
usfast::MaskView<T> view(const Array<T>& array) {
    const auto shape = array.shape();
    const usfast::Index3 size{shape[0], shape[1], shape[2]};
    return {array.data(), size, {size[1] * size[2], size[2], 1}, {0, 0, 0}, size};
}

py::tuple to_python(const usfast::DistanceTable& table) {
    const auto count = static_cast<py::ssize_t>(table.distance.size());
    return py::make_tuple(Array<double>(count, table.distance.data()), Array<double>(count, table.weight.data()));
}

template <typename T>
py::tuple surface_distances(const Array<T>& a, const Array<T>& b, const std::optional<Array<std::uint8_t>>& only,
                            std::int64_t label, const std::array<double, 3>& spacing, bool planar, bool surfels,
                            const std::array<double, 256>& area, int connectivity, bool edge_is_surface, int threads,
                            const Callback& callback) {
    require(a.ndim() == 3 && has_shape(b, {a.shape(0), a.shape(1), a.shape(2)}),
            "a and b must have one shape (Z, Y, X)");
    require(!only || has_shape(*only, {a.shape(0), a.shape(1), a.shape(2)}), "only must have the masks' shape");
    require(!planar || a.shape(0) == 1, "a planar mask has one slice");
    require(spacing[0] > 0 && spacing[1] > 0 && spacing[2] > 0, "spacing must be positive");
    require(connectivity >= 1 && connectivity <= 3 && threads >= 1, "connectivity or threads out of range");
    require(a.size() > 0, "masks must not be empty arrays");
    usfast::SurfaceOptions options;
    options.planar = planar, options.surfels = surfels, options.connectivity = connectivity;
    options.edge_is_surface = edge_is_surface, options.spacing = spacing, options.area = area;
    options.threads = threads;
    const auto mark = only ? view(*only) : usfast::MaskView<std::uint8_t>{};
    usfast::SurfaceDistances found;
    {
        const py::gil_scoped_release nogil;
        found = usfast::surface_distances(view(a), view(b), mark, label, options, progress_to_python(callback));
    }
    return py::make_tuple(to_python(found.a_to_b), to_python(found.b_to_a), found.voxels_a, found.voxels_b,
                          found.voxels_both);
}

template <typename T>
void bind_distances(py::module_& module) {
    module.def("surface_distances", &surface_distances<T>, py::arg("a").noconvert(), py::arg("b").noconvert(),
               py::arg("only").noconvert(), py::arg("label"), py::arg("spacing"), py::arg("planar"), py::arg("surfels"),
               py::arg("area"), py::arg("connectivity"), py::arg("edge_is_surface"), py::arg("threads"),
               py::arg("progress"));
}

template <typename T>
py::list confusion(const Array<T>& a, const Array<T>& b, int threads, const Callback& callback) {
    require(a.ndim() == 3 && has_shape(b, {a.shape(0), a.shape(1), a.shape(2)}),
            "a and b must have one shape (Z, Y, X)");
    require(threads >= 1, "threads must be positive");
    std::vector<usfast::LabelPair> pairs;
    {
        const usfast::Index3 shape{a.shape(0), a.shape(1), a.shape(2)};
        const py::gil_scoped_release nogil;
        pairs = usfast::confusion(a.data(), b.data(), shape, threads, progress_to_python(callback));
    }
    py::list result;
    for (const auto& pair : pairs) result.append(py::make_tuple(pair.a, pair.b, pair.count, pair.begin, pair.end));
    return result;
}

py::tuple distance_transform(const Array<std::uint8_t>& mask, const std::array<double, 3>& spacing, bool to_structure,
                             bool sites, int threads, const Callback& callback) {
    require(mask.ndim() == 3 && mask.size() > 0, "mask must be (Z, Y, X)");
    require(spacing[0] > 0 && spacing[1] > 0 && spacing[2] > 0 && threads >= 1, "spacing or threads out of range");
    const std::array<py::ssize_t, 3> shape{mask.shape(0), mask.shape(1), mask.shape(2)};
    Array<double> distance(shape);
    Array<std::int64_t> site(sites ? shape : std::array<py::ssize_t, 3>{0, 0, 0});
    double* out = distance.mutable_data();
    std::int64_t* at = sites ? site.mutable_data() : nullptr;
    {
        const usfast::Index3 size{shape[0], shape[1], shape[2]};
        const py::gil_scoped_release nogil;
        usfast::distance_transform(mask.data(), size, spacing, to_structure, out, at, threads,
                                   progress_to_python(callback));
    }
    return py::make_tuple(distance, site);
}

template <typename T>
void bind_confusion(py::module_& module) {
    module.def("confusion", &confusion<T>, py::arg("a").noconvert(), py::arg("b").noconvert(), py::arg("threads"),
               py::arg("progress"));
}

}  // namespace

void bind_surface(py::module_& module) {
    bind_confusion<std::uint8_t>(module);
    bind_confusion<std::uint16_t>(module);
    bind_confusion<std::int16_t>(module);
    bind_confusion<std::int32_t>(module);
    bind_confusion<std::int64_t>(module);
    module.def("distance_transform", &distance_transform, py::arg("mask").noconvert(), py::arg("spacing"),
               py::arg("to_structure"), py::arg("sites"), py::arg("threads"), py::arg("progress"));
    bind_distances<std::uint8_t>(module);
    bind_distances<std::uint16_t>(module);
    bind_distances<std::int16_t>(module);
    bind_distances<std::int32_t>(module);
    bind_distances<std::int64_t>(module);
}
