#include "usfast/bricks.hpp"

#include "importance.hpp"

namespace {

using usfast::Box;
using usfast::Bricks;
using usfast::CompoundOptions;
using usfast::FrameStack;
using Index3 = std::array<std::int64_t, 3>;

Bricks make(const Index3& begin, const Index3& end, const std::string& method, const std::string& mode, int radius,
            double sigma, int classes, bool bytes) {
    for (int a = 0; a < 3; ++a) require(begin[a] >= 0 && begin[a] < end[a] && end[a] < 1000000000, "domain");
    require(radius >= 0 && radius <= 16 && sigma > 0, "radius or sigma out of range");
    CompoundOptions options;
    options.method = method == "nearest"  ? usfast::Method::nearest
                     : method == "linear" ? usfast::Method::linear
                                          : usfast::Method::gaussian;
    options.mode = mode == "maximum"  ? usfast::Mode::maximum
                   : mode == "latest" ? usfast::Mode::latest
                   : mode == "vote"   ? usfast::Mode::vote
                                      : usfast::Mode::mean;
    options.radius = radius, options.sigma = sigma, options.classes = classes;
    require(mode != "vote" || (bytes && classes >= 1 && classes <= 256), "votes need uint8 class indices");
    return {Box{begin, end}, options, bytes ? usfast::Dtype::uint8 : usfast::Dtype::float32};
}

// What the bricks were made for travels with them, so that nothing else reaches their cells.
class Holder {
  public:
    Holder(const Index3& begin, const Index3& end, const std::string& method, const std::string& mode, int radius,
           double sigma, int classes, bool bytes)
        : domain_{begin, end},
          bytes_(bytes),
          classes_(mode == "vote" ? classes : 0),
          bricks_(make(begin, end, method, mode, radius, sigma, classes, bytes)) {}

    template <typename T>
    void add(const Array<T>& frames, const Array<std::int64_t>& index, const Array<double>& image_to_voxel,
             const std::optional<Array<std::uint8_t>>& mask, const std::optional<Array<float>>& importance, bool undo,
             int threads, const Callback& callback) {
        require((std::is_same_v<T, std::uint8_t>) == bytes_, "the dtype of the frames has changed");
        require_frames(frames, index);
        const auto height = frames.shape(1), width = frames.shape(2);
        require(has_shape(image_to_voxel, {index.shape(0), 3, 4}), "image_to_voxel must be (M, 3, 4)");
        require(!mask || has_shape(*mask, {height, width}), "mask must be (H, W)");
        require(threads >= 1, "threads out of range");
        if constexpr (std::is_same_v<T, std::uint8_t>)
            for (py::ssize_t i = 0; classes_ && i < frames.size(); ++i)
                require(static_cast<int>(frames.data()[i]) < classes_, "class index out of range");
        FrameStack stack{frames.data(),
                         bytes_ ? usfast::Dtype::uint8 : usfast::Dtype::float32,
                         height,
                         width,
                         index.shape(0),
                         index.data(),
                         image_to_voxel.data(),
                         mask ? mask->data() : nullptr,
                         nullptr,
                         {0, 0, 0}};
        if (importance) set_importance(stack, *importance, frames.shape(0));
        const py::gil_scoped_release nogil;
        bricks_.add(stack, threads, undo, progress_to_python(callback));
    }

    template <typename V>
    void write(const Index3& begin, Array<V>& volume, Array<float>& weight, int threads,
               const Callback& callback) const {
        require(std::is_same_v<V, std::uint8_t> == (classes_ > 0), "volume has the wrong dtype");
        require(volume.ndim() == 3 && has_shape(weight, {volume.shape(0), volume.shape(1), volume.shape(2)}),
                "volume and weight must be (Z, Y, X)");
        Box box{begin, {}};
        for (int a = 0; a < 3; ++a) {
            box.end[a] = begin[a] + volume.shape(2 - a);
            require(begin[a] >= domain_.begin[a] && box.end[a] <= domain_.end[a], "the region must lie in the grid");
        }
        require(threads >= 1, "threads out of range");
        V* volume_data = volume.mutable_data();
        float* weight_data = weight.mutable_data();
        const py::gil_scoped_release nogil;
        bricks_.write(box, volume_data, weight_data, threads, progress_to_python(callback));
    }

    std::pair<Index3, Index3> touched() const {
        const Box box = bricks_.touched();
        return {box.begin, box.end};
    }
    std::int64_t bytes() const { return bricks_.bytes(); }
    std::int64_t scratch_bytes() const { return bricks_.scratch_bytes(); }
    std::int64_t cell() const { return bricks_.cell(); }
    std::int64_t side() const { return bricks_.side(); }
    void clear() { bricks_.clear(); }

  private:
    Box domain_;
    bool bytes_;
    int classes_;
    Bricks bricks_;
};

template <typename T>
void define_add(py::class_<Holder>& holder) {
    holder.def("add", &Holder::add<T>, py::arg("frames").noconvert(), py::arg("index").noconvert(),
               py::arg("image_to_voxel").noconvert(), py::arg("mask").noconvert(), py::arg("importance").noconvert(),
               py::arg("undo"), py::arg("threads"), py::arg("progress"));
}

template <typename V>
void define_write(py::class_<Holder>& holder) {
    holder.def("write", &Holder::write<V>, py::arg("begin"), py::arg("volume").noconvert(),
               py::arg("weight").noconvert(), py::arg("threads"), py::arg("progress"));
}

}  // namespace

void bind_bricks(py::module_& module) {
    py::class_<Holder> holder(module, "Bricks");
    holder.def(py::init<const Index3&, const Index3&, const std::string&, const std::string&, int, double, int, bool>(),
               py::arg("begin"), py::arg("end"), py::arg("method"), py::arg("mode"), py::arg("radius"),
               py::arg("sigma"), py::arg("classes"), py::arg("bytes"));
    define_add<std::uint8_t>(holder);
    define_add<float>(holder);
    define_write<std::uint8_t>(holder);
    define_write<float>(holder);
    holder.def("touched", &Holder::touched).def("clear", &Holder::clear);
    holder.def("nbytes", &Holder::bytes)
        .def("scratch_bytes", &Holder::scratch_bytes)
        .def("side", &Holder::side)
        .def("cell", &Holder::cell);
}
