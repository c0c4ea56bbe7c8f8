// Pearson correlation of patches for all pairs of frames within a window. A task is a few neighbouring patches over a
// run of frames. Its patches are packed into a ring of window + 3 frames that stays in the cache; each three frames
// are multiplied with all the later ones of their window at once.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include "products.hpp"
#include "usfast/speckle.hpp"

namespace usfast {
namespace {

constexpr std::int64_t ring_bytes = 5LL << 17;       // of a task: to stay near the second level cache
constexpr std::int64_t products_a_task = 1LL << 30;  // multiplications, so that Ctrl-C need not wait
constexpr std::int64_t cache_line = 64;

struct Task {
    std::int64_t first, patches;  // in the order of the plan
    std::int64_t begin, end;      // frames on the left of the pairs
};

struct Plan {
    std::vector<std::int64_t> order;  // patches by row and column, so that neighbours share cache lines
    std::vector<Task> tasks;
    std::int64_t most_patches = 0;  // of a task
};

// Patches of one row of the image are shared out evenly between tasks of at most `most` patches.
Plan make_plan(const Patches& patches, std::int64_t frames, std::int64_t most, std::int64_t run) {
    Plan plan;
    plan.order.resize(static_cast<std::size_t>(patches.count));
    std::iota(plan.order.begin(), plan.order.end(), std::int64_t{0});
    auto corner = [&](std::int64_t p) { return patches.corners + 2 * p; };
    std::stable_sort(plan.order.begin(), plan.order.end(), [&](std::int64_t a, std::int64_t b) {
        return std::lexicographical_compare(corner(a), corner(a) + 2, corner(b), corner(b) + 2);
    });
    auto row = [&](std::int64_t k) { return *corner(plan.order[static_cast<std::size_t>(k)]); };
    for (std::int64_t first = 0, last; first < patches.count; first = last) {
        for (last = first + 1; last < patches.count && row(last) == row(first);) ++last;
        const std::int64_t parts = (last - first + most - 1) / most;
        for (std::int64_t part = 0; part < parts; ++part) {
            const std::int64_t from = first + (last - first) * part / parts,
                               to = first + (last - first) * (part + 1) / parts;
            plan.most_patches = std::max(plan.most_patches, to - from);
            for (std::int64_t begin = 0; begin < frames; begin += run)
                plan.tasks.push_back({from, to - from, begin, std::min(begin + run, frames)});
        }
    }
    return plan;
}

// One thread's packed patches and their sums; frame f stands in slot f % slots.
template <typename Sum>
struct Ring {
    Ring(std::int64_t slots, std::int64_t patches, std::int64_t slot_bytes)
        : slots(slots),
          stride(slot_bytes),
          storage(static_cast<std::size_t>(slots * patches * slot_bytes + cache_line)),
          left(static_cast<std::size_t>(slots * patches)),
          right(left.size()),
          scale(left.size()),
          products(static_cast<std::size_t>(most_left * slots)),
          sums(static_cast<std::size_t>(most_left * slots * patches)),
          row(static_cast<std::size_t>(patches)),
          rights(static_cast<std::size_t>(slots)),
          images(row.size()),
          places(row.size()) {
        void* start = storage.data();
        std::size_t room = storage.size();
        packed = static_cast<char*>(std::align(cache_line, 1, start, room));
    }

    std::int64_t slots, stride;
    std::vector<char> storage;
    char* packed;
    std::vector<double> left, right, scale;  // (slots, patches): see PairSums
    std::vector<Sum> products;               // of one patch: (most_left, right frames)
    std::vector<Sum> sums;                   // (most_left, lags, patches)
    std::vector<float> row;                  // (patches)
    std::vector<const void*> rights, images;
    std::vector<void*> places;
};

template <typename T, typename Sum>
class Correlator {
  public:
    Correlator(const Frames<T>& frames, const Patches& patches, std::int64_t window, const Plan& plan, float* out)
        : frames_(frames),
          patches_(patches),
          columns_(window),
          window_(std::min(window, frames.count - 1)),
          pixels_(patches.rows * patches.columns),
          length_(packed_length(patches)),
          plan_(plan),
          out_(out),
          table_(product_table<Sum>()) {}

    static std::int64_t packed_length(const Patches& patches) {
        return (patches.rows * patches.columns + patch_unit - 1) / patch_unit * patch_unit;
    }

    Ring<Sum> make_ring() const {
        return Ring<Sum>(window_ + most_left, plan_.most_patches, length_ * table_.pixel_bytes);
    }

    void run(const Task& task, Ring<Sum>& ring) const {
        std::int64_t packed = task.begin;
        for (std::int64_t i = task.begin; i < task.end; i += most_left) {
            const auto lefts = static_cast<int>(std::min<std::int64_t>(most_left, task.end - i));
            const std::int64_t last = std::min(i + lefts - 1 + window_, frames_.count - 1);
            for (; packed <= last; ++packed) pack(task, packed, ring);
            for (std::int64_t c = 0; c < task.patches; ++c) multiply(task, c, i, lefts, last, ring);
            for (int k = 0; k < lefts; ++k) finish(task, i, k, ring);
        }
    }

  private:
    char* slot(std::int64_t frame, std::int64_t c, const Ring<Sum>& ring) const {
        return ring.packed + (c * ring.slots + frame % ring.slots) * ring.stride;
    }

    const T* image(const Task& task, std::int64_t frame, std::int64_t c) const {
        const std::int64_t* corner = patches_.corners + 2 * plan_.order[static_cast<std::size_t>(task.first + c)];
        return frames_.pixels + (frame * frames_.height + corner[0]) * frames_.width + corner[1];
    }

    void pack(const Task& task, std::int64_t frame, Ring<Sum>& ring) const {
        for (std::int64_t c = 0; c < task.patches; ++c) {
            ring.images[static_cast<std::size_t>(c)] = image(task, frame, c);
            ring.places[static_cast<std::size_t>(c)] = slot(frame, c, ring);
        }
        table_.pack(ring.images.data(), task.patches, frames_.width, patches_.rows, patches_.columns,
                    ring.places.data(), length_, 0);
        const auto count = static_cast<double>(pixels_);
        for (std::int64_t c = 0; c < task.patches; ++c) {
            const Moments m = table_.moments(ring.places[static_cast<std::size_t>(c)], length_);
            const double variance = count * m.squares - m.sum * m.sum;
            const auto at = static_cast<std::size_t>(frame % ring.slots * task.patches + c);
            ring.left[at] = m.sum - count * static_cast<double>(table_.offset);
            ring.right[at] = m.sum;
            ring.scale[at] = variance > 0 ? 1 / std::sqrt(variance) : std::numeric_limits<double>::quiet_NaN();
        }
    }

    // Patch c of frames i .. i + lefts - 1 with the same of frames i + 1 .. last.
    void multiply(const Task& task, std::int64_t c, std::int64_t i, int lefts, std::int64_t last,
                  Ring<Sum>& ring) const {
        const auto rights = static_cast<int>(last - i);
        const void* left[most_left] = {};
        for (int k = 0; k < lefts; ++k) left[k] = slot(i + k, c, ring);
        for (int j = 0; j < rights; ++j) ring.rights[static_cast<std::size_t>(j)] = slot(i + 1 + j, c, ring);
        table_.products(left, lefts, ring.rights.data(), rights, length_, ring.products.data());
        for (int k = 0; k < lefts; ++k) {
            const Sum* from = ring.products.data() + k * rights + k;
            Sum* to = ring.sums.data() + k * window_ * task.patches + c;
            const std::int64_t lags = std::min<std::int64_t>(window_, rights - k);
            for (std::int64_t lag = 0; lag < lags; ++lag) to[lag * task.patches] = from[lag];
        }
    }

    // All pairs of frame i + k.
    void finish(const Task& task, std::int64_t i, int k, Ring<Sum>& ring) const {
        const std::int64_t frame = i + k, *order = plan_.order.data() + task.first;
        const std::int64_t lags = std::min(window_, frames_.count - 1 - frame);
        const std::int64_t a = frame % ring.slots * task.patches;
        for (std::int64_t lag = 1; lag <= columns_; ++lag) {
            float* out = out_ + (frame * columns_ + lag - 1) * patches_.count;
            if (lag > lags) {
                std::fill(ring.row.begin(), ring.row.end(), std::numeric_limits<float>::quiet_NaN());
            } else {
                const std::int64_t b = (frame + lag) % ring.slots * task.patches;
                table_.correlations(ring.sums.data() + (k * window_ + lag - 1) * task.patches, task.patches,
                                    {static_cast<double>(pixels_), ring.left.data() + a, ring.right.data() + b,
                                     ring.scale.data() + a, ring.scale.data() + b},
                                    ring.row.data());
            }
            for (std::int64_t c = 0; c < task.patches; ++c) out[order[c]] = ring.row[static_cast<std::size_t>(c)];
        }
    }

    Frames<T> frames_;
    Patches patches_;
    std::int64_t columns_, window_;  // lags in the output, and those for which there are frames
    std::int64_t pixels_, length_;
    const Plan& plan_;
    float* out_;
    const ProductTable<Sum>& table_;
};

template <typename T, typename Sum>
bool correlate(const Frames<T>& frames, const Patches& patches, std::int64_t window, int threads, float* out,
               const Progress& progress) {
    using Work = Correlator<T, Sum>;
    const std::int64_t length = Work::packed_length(patches), lags = std::min(window, frames.count - 1);
    const std::int64_t bytes = (lags + most_left) * length * product_table<Sum>().pixel_bytes;
    const std::int64_t share = (patches.count + threads - 1) / threads;
    const std::int64_t most = std::clamp<std::int64_t>(ring_bytes / bytes, 1, share);
    const std::int64_t run =
        std::max({products_a_task / (most * length * std::max<std::int64_t>(lags, 1)), lags, std::int64_t{64}});
    const Plan plan = make_plan(patches, frames.count, most, run);
    const Work work(frames, patches, window, plan, out);
    const auto tasks = static_cast<std::int64_t>(plan.tasks.size());
    std::vector<Ring<Sum>> rings;
    for (std::int64_t worker = 0; worker < std::min<std::int64_t>(threads, tasks); ++worker)
        rings.push_back(work.make_ring());
    return parallel_for(
        tasks, threads,
        [&](std::int64_t task, int worker) {
            work.run(plan.tasks[static_cast<std::size_t>(task)], rings[static_cast<std::size_t>(worker)]);
        },
        progress);
}

}  // namespace

bool correlate_pairs(const Frames<std::uint8_t>& frames, const Patches& patches, std::int64_t window, int threads,
                     float* out, const Progress& progress) {
    return correlate<std::uint8_t, std::int32_t>(frames, patches, window, threads, out, progress);
}

bool correlate_pairs(const Frames<float>& frames, const Patches& patches, std::int64_t window, int threads, float* out,
                     const Progress& progress) {
    return correlate<float, double>(frames, patches, window, threads, out, progress);
}

}  // namespace usfast
