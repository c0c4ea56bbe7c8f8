#include <algorithm>
#include <vector>

#include "directed_kernel.hpp"
#include "usfast/confidence_directed.hpp"

namespace usfast {
namespace {

static_assert(directed_shares == directed_parents);

constexpr double least_gradient = 1e-4;  // added to each: a homogeneous row must not divide by zero
constexpr double surely_needle = 0.9, surely_artifact = 0.05;

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// A row that continues beyond both ends as its mirror image.
class Padded {
  public:
    explicit Padded(std::int64_t width)
        : width_(width), values_(index(width + 2 * directed_reach + directed_lanes), 0), source_(2 * directed_reach) {
        for (std::int64_t i = 0; i < directed_reach; ++i)
            source_[index(i)] = mirrored(i - directed_reach), source_[index(directed_reach + i)] = mirrored(width + i);
    }
    double* row() { return values_.data() + directed_reach; }
    void fill(const double* from) {
        std::copy_n(from, width_, row());
        mirror();
    }
    void mirror() {
        for (std::int64_t i = 0; i < directed_reach; ++i) {
            row()[i - directed_reach] = row()[source_[index(i)]];
            row()[width_ + i] = row()[source_[index(directed_reach + i)]];
        }
    }

  private:
    std::int64_t mirrored(std::int64_t i) const {
        i = (i % (2 * width_) + 2 * width_) % (2 * width_);
        return i < width_ ? i : 2 * width_ - 1 - i;
    }
    std::int64_t width_;
    std::vector<double> values_;
    std::vector<std::int64_t> source_;  // which columns the mirror images show
};

class Descent {
  public:
    Descent(std::int64_t height, std::int64_t width, const DirectedOptions& options)
        : height_(height),
          width_(width),
          options_(options),
          fixed_(width),
          moved_(width),
          above_(width),
          marks_(index(width + directed_lanes), 0),
          found_(marks_) {}

    void map(const double* image, const double* needle, const double* artifact, double* out);

  private:
    DirectedStep step_to(const double* image, std::int64_t i);
    bool mark(const double* needle, const double* artifact, std::int64_t i);

    std::int64_t height_, width_;
    const DirectedOptions& options_;
    Padded fixed_, moved_, above_;
    std::vector<double> marks_, found_;
};

// The edges from row i - 1 to row i.
DirectedStep Descent::step_to(const double* image, std::int64_t i) {
    const double *upper = image + (i - 1) * width_, *lower = upper + width_;
    fixed_.fill(options_.on_edge ? lower : upper);
    moved_.fill(options_.on_edge ? upper : lower);
    DirectedStep step{};
    step.count = width_, step.fixed = fixed_.row(), step.moved = moved_.row(), step.above = above_.row();
    step.sign = options_.on_edge ? 1 : -1;
    step.floor = least_gradient, step.loss = options_.loss[i - 1], step.power = options_.power;
    step.cap = options_.cap ? options_.cap[i] : 1;
    step.spread = options_.spread;
    return step;
}

// Pixels at the upper border of a needle and pixels below artefacts. False where there are none.
bool Descent::mark(const double* needle, const double* artifact, std::int64_t i) {
    bool any = false;
    for (std::int64_t j = 0; j < width_; ++j) {
        const double* at = needle ? needle + i * width_ + j : nullptr;
        double found = 0;
        if (at && at[0] > surely_needle && !(i >= 2 && at[-2 * width_] > surely_needle)) found = mark_needle;
        if (artifact && artifact[(i - 1) * width_ + j] > surely_artifact) found = mark_artifact;
        marks_[index(j)] = found;
        any = any || found > 0;
    }
    return any;
}

void Descent::map(const double* image, const double* needle, const double* artifact, double* out) {
    const DirectedTable& kernels = directed_table();
    double largest = 0;
    if (needle)
        for (std::int64_t i = 1; i < height_; ++i)
            largest = std::max(largest, kernels.largest_gradient(step_to(image, i)));
    std::fill_n(found_.data(), width_, 1.0);
    for (std::int64_t i = 0; i < height_; ++i) {
        if (i > 0) {
            DirectedStep step = step_to(image, i);
            step.largest = largest;
            step.marks = (needle || artifact) && mark(needle, artifact, i) ? marks_.data() : nullptr;
            kernels.descend(step, found_.data());
        }
        above_.fill(found_.data());
        const double share = options_.cap ? options_.cap[i] : 1;
        for (std::int64_t j = 0; j < width_; ++j) {
            const double value = found_[index(j)] / share;
            out[i * width_ + j] = artifact ? value * (1 - artifact[i * width_ + j]) : value;
        }
    }
}

}  // namespace

bool directed_maps(const double* images, const double* needle, const double* artifact, std::int64_t count,
                   std::int64_t height, std::int64_t width, const DirectedOptions& options, double* out,
                   const Progress& progress) {
    const auto of = [&](const double* stack, std::int64_t n) { return stack ? stack + n * height * width : nullptr; };
    return parallel_for(
        count, options.threads,
        [&](std::int64_t n, int) {
            Descent(height, width, options)
                .map(of(images, n), of(needle, n), of(artifact, n), out + n * height * width);
        },
        progress);
}

}  // namespace usfast
