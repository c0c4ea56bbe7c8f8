#include "usfast/confidence.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <type_traits>
#include <vector>

#include "solver.hpp"

namespace usfast {
namespace {

struct Box {
    std::int64_t top, bottom, left, right;  // [top, bottom) x [left, right)
    bool empty() const { return bottom <= top || right <= left; }
};

// One image's buffers, allocated before any worker starts.
struct Scratch {
    std::vector<double> image, row;
    std::vector<std::uint8_t> state;
    std::vector<std::int64_t> known, queue;
    bool any_outside = false;

    Scratch(std::int64_t pixels, std::int64_t width)
        : image(static_cast<std::size_t>(pixels)),
          row(static_cast<std::size_t>(width)),
          state(static_cast<std::size_t>(pixels)) {
        known.reserve(static_cast<std::size_t>(pixels));
        queue.reserve(static_cast<std::size_t>(pixels));
    }
};

struct Job {
    ConfidenceImages images;
    const std::uint8_t* state;
    bool per_image;
    const double* factor;
    ConfidenceOptions options;
    Box box;  // around all pixels that are sought
    std::int64_t pixels() const { return images.height * images.width; }
    const std::uint8_t* state_of(std::int64_t n) const { return state + (per_image ? n * pixels() : 0); }
};

constexpr auto unknown = static_cast<std::uint8_t>(Pixel::unknown);
constexpr auto source = static_cast<std::uint8_t>(Pixel::source);
constexpr auto outside = static_cast<std::uint8_t>(Pixel::outside);

// A span of rows for each task: use(first, last).
template <typename Use>
void each_rows(std::int64_t rows, int threads, const Use& use) {
    const std::int64_t tasks = threads > 1 ? std::min<std::int64_t>(rows, 4 * threads) : 1;
    parallel_for(tasks, threads, [&](std::int64_t t, int) { use(rows * t / tasks, rows * (t + 1) / tasks, t); });
}

template <typename T>
void normalise(const T* pixels, const Job& job, const std::uint8_t* state, bool any_outside, double* out) {
    const std::int64_t count = job.pixels();
    double low = 0, scale = 1;
    if (job.options.normalise) {
        bool found = false;
        T least{}, most{};
        for (std::int64_t i = 0; i < count; ++i) {
            if (any_outside && state[i] == outside) continue;
            least = found && least < pixels[i] ? least : pixels[i];
            most = found && most > pixels[i] ? most : pixels[i];
            found = true;
        }
        low = static_cast<double>(least);
        scale = (static_cast<double>(most) - low) + 0x1p-52;
    }
    for (std::int64_t i = 0; i < count; ++i) out[i] = (static_cast<double>(pixels[i]) - low) / scale * job.factor[i];
}

void load(const Job& job, std::int64_t n, const std::uint8_t* state, bool any_outside, double* out) {
    const std::int64_t start = n * job.pixels();
    switch (job.images.type) {
        case PixelType::uint8:
            return normalise(static_cast<const std::uint8_t*>(job.images.pixels) + start, job, state, any_outside, out);
        case PixelType::uint16:
            return normalise(static_cast<const std::uint16_t*>(job.images.pixels) + start, job, state, any_outside,
                             out);
        case PixelType::float32:
            return normalise(static_cast<const float*>(job.images.pixels) + start, job, state, any_outside, out);
        case PixelType::float64:
            return normalise(static_cast<const double*>(job.images.pixels) + start, job, state, any_outside, out);
    }
}

// The four neighbours of a pixel that come after it, in the order of the planes: right, below, below right, below left.
constexpr int ahead[4][2] = {{0, 1}, {1, 0}, {1, 1}, {1, -1}};
constexpr int direction(int k) { return k == 1 ? 0 : k == 0 ? 1 : 2; }  // vertical, horizontal, diagonal

// Pixels of a row that have neighbour k: columns [from, to).
struct Columns {
    std::int64_t from, to;
    Columns(int k, std::int64_t width) : from(ahead[k][1] < 0 ? 1 : 0), to(ahead[k][1] > 0 ? width - 1 : width) {}
};

// Largest differences of vertical, horizontal and diagonal neighbours, over the pixels that are not outside.
void largest_differences(const Job& job, const Scratch& s, const std::uint8_t* state, int threads, double* largest) {
    const std::int64_t height = job.images.height, width = job.images.width;
    const ConfidenceTable& table = confidence_table();
    double found[4 * 1024][3] = {};
    each_rows(height, std::min(threads, 1024), [&](std::int64_t first, std::int64_t last, std::int64_t task) {
        for (std::int64_t row = first; row < last; ++row)
            for (int k = 0; k < 4; ++k) {
                if (row + ahead[k][0] >= height) continue;
                const Columns c(k, width);
                const std::int64_t p = row * width + c.from, q = p + ahead[k][0] * width + ahead[k][1];
                double most = 0;
                if (!s.any_outside && c.to > c.from) {
                    most = table.largest_difference(s.image.data() + p, s.image.data() + q, c.to - c.from);
                } else {
                    for (std::int64_t i = 0; i < c.to - c.from; ++i)
                        if (state[p + i] != outside && state[q + i] != outside)
                            most = std::max(most, std::abs(s.image[static_cast<std::size_t>(p + i)] -
                                                           s.image[static_cast<std::size_t>(q + i)]));
                }
                double& value = found[task][direction(k)];
                value = std::max(value, most);
            }
    });
    std::fill_n(largest, 3, 0.0);
    for (const auto& f : found)
        for (int k : {0, 1, 2}) largest[k] = std::max(largest[k], f[k]);
}

// Weights of all edges in the box and to the pixels around it.
template <typename T>
void write_weights(const Job& job, Scratch& s, const std::uint8_t* state, int threads, const Solver<T>& solver) {
    const std::int64_t height = job.images.height, width = job.images.width;
    double largest[3], second = 0;
    largest_differences(job, s, state, threads, largest);
    const double first = std::max({largest[0], largest[1], largest[2]}) + 0x1p-52;
    for (int k : {0, 1, 2}) second = std::max(second, largest[k] / first + job.options.penalty[k]);
    second += 0x1p-52;
    const std::int64_t top = std::max<std::int64_t>(job.box.top - 1, 0), bottom = std::min(job.box.bottom + 1, height);
    const std::int64_t left = std::max<std::int64_t>(job.box.left - 1, 0), right = std::min(job.box.right + 1, width);
    const ConfidenceTable& table = confidence_table();
    each_rows(bottom - top, threads, [&](std::int64_t low, std::int64_t high, std::int64_t) {
        for (std::int64_t row = top + low; row < top + high; ++row)
            for (int k = 0; k < 4; ++k) {
                if (row + ahead[k][0] >= bottom) continue;
                const std::int64_t from = left + (ahead[k][1] < 0), to = right - (ahead[k][1] > 0);
                const double* p = s.image.data() + row * width;
                const double* q = p + ahead[k][0] * width + ahead[k][1];
                T* out = solver.pixel(row - job.box.top, -job.box.left) + k * solver.plane_size();
                double part[256];
                for (std::int64_t i = from; i < to; i += 256) {
                    const std::int64_t count = std::min<std::int64_t>(256, to - i);
                    table.weights(p + i, q + i, count, first, job.options.penalty[direction(k)], second,
                                  job.options.beta, job.options.floor, part);
                    for (std::int64_t j = 0; j < count; ++j) out[i + j] = static_cast<T>(part[j]);
                }
            }
        for (std::int64_t row = std::max(top + low, job.box.top); row < std::min(top + high, job.box.bottom); ++row)
            for (int k : {4, 5})
                std::fill_n(solver.pixel(row - job.box.top, 0) + k * solver.plane_size(), job.box.right - job.box.left,
                            T{0});
    });
}

// Couplings to pixels of known value become excess and right-hand side.
template <typename T>
void write_known(const Job& job, const Scratch& s, const Solver<T>& solver) {
    const std::int64_t width = job.images.width, stride = solver.plan().plane_stride, size = solver.plane_size();
    const Box& box = job.box;
    for (const std::int64_t at : s.known) {
        const std::int64_t row = at / width, column = at % width;
        const bool is_source = s.state[static_cast<std::size_t>(at)] == source;
        const bool is_outside = s.state[static_cast<std::size_t>(at)] == outside;
        T* mine = solver.pixel(row - box.top, column - box.left);
        for (int k = 0; k < 8; ++k) {
            const int sign = k < 4 ? 1 : -1;
            const std::int64_t r = row + sign * ahead[k % 4][0], c = column + sign * ahead[k % 4][1];
            if (r < box.top - 1 || r > box.bottom || c < box.left - 1 || c > box.right) continue;
            T* other = mine + sign * (ahead[k % 4][0] * stride + ahead[k % 4][1]);
            T* first = k < 4 ? mine : other;
            T& weight = first[k % 4 * size];
            const bool inside = r >= box.top && r < box.bottom && c >= box.left && c < box.right;
            if (inside && !is_outside && s.state[static_cast<std::size_t>(r * width + c)] == unknown) {
                other[4 * size] += weight;
                if (is_source) other[5 * size] += weight;
            }
            weight = 0;
        }
        mine[4 * size] = 1;
        mine[5 * size] = is_source ? T{1} : T{0};
    }
}

// Pixels from which no path leads to a seed count as outside: a walk from there reaches no source, ever.
void drop_lost(const Job& job, Scratch& s) {
    const std::int64_t height = job.images.height, width = job.images.width;
    constexpr std::uint8_t reached = 255;
    auto spread = [&](std::int64_t at) {
        const std::int64_t row = at / width, column = at % width;
        for (std::int64_t r = std::max<std::int64_t>(row - 1, 0); r <= std::min(row + 1, height - 1); ++r)
            for (std::int64_t c = std::max<std::int64_t>(column - 1, 0); c <= std::min(column + 1, width - 1); ++c) {
                auto& state = s.state[static_cast<std::size_t>(r * width + c)];
                if (state != unknown) continue;
                state = reached;
                s.queue.push_back(r * width + c);
            }
    };
    s.queue.clear();
    for (std::int64_t i = 0; i < job.pixels(); ++i) {
        const auto state = s.state[static_cast<std::size_t>(i)];
        if (state != unknown && state != outside && state != reached) spread(i);
    }
    for (std::size_t i = 0; i < s.queue.size(); ++i) spread(s.queue[i]);
    for (auto& state : s.state) state = state == reached ? unknown : state == unknown ? outside : state;
}

// What is known about the pixels of image n, and which of them lie in or around the box.
void read_state(const Job& job, std::int64_t n, Scratch& s) {
    const std::uint8_t* state = job.state_of(n);
    std::copy_n(state, job.pixels(), s.state.data());
    s.any_outside = std::any_of(state, state + job.pixels(), [](std::uint8_t p) { return p == outside; });
    const bool seeded =
        std::any_of(state, state + job.pixels(), [](std::uint8_t p) { return p != unknown && p != outside; });
    if (s.any_outside || !seeded) drop_lost(job, s);
    s.known.clear();
    const Box& box = job.box;
    const std::int64_t height = job.images.height, width = job.images.width;
    for (std::int64_t r = std::max<std::int64_t>(box.top - 1, 0); r < std::min(box.bottom + 1, height); ++r)
        for (std::int64_t c = std::max<std::int64_t>(box.left - 1, 0); c < std::min(box.right + 1, width); ++c)
            if (s.state[static_cast<std::size_t>(r * width + c)] != unknown) s.known.push_back(r * width + c);
}

// One image; solver is null where nothing is sought.
template <typename T>
bool one_map(const Job& job, std::int64_t n, Scratch& s, bool same_state, Solver<T>* solver, T* out,
             const std::function<bool()>& go_on) {
    const int threads = solver ? solver->plan().workers : 1;
    if (!same_state) read_state(job, n, s);
    for (std::int64_t i = 0; i < job.pixels(); ++i)
        out[i] = s.state[static_cast<std::size_t>(i)] == source ? T{1} : T{0};
    if (!solver) return true;
    load(job, n, job.state_of(n), s.any_outside, s.image.data());
    write_weights(job, s, job.state_of(n), threads, *solver);
    write_known(job, s, *solver);
    T* corner = out + job.box.top * job.images.width + job.box.left;
    if (!solver->solve(corner, job.images.width, go_on)) return false;
    // Rounding may pass the largest value by a unit in the last place.
    for (std::int64_t r = job.box.top; r < job.box.bottom; ++r)
        for (std::int64_t c = job.box.left; c < job.box.right; ++c) {
            T& value = out[r * job.images.width + c];
            value = value > 1 ? T{1} : value;
        }
    return true;
}

Box box_of(const ConfidenceImages& images, const std::uint8_t* state, std::int64_t states) {
    Box box{images.height, 0, images.width, 0};
    for (std::int64_t n = 0; n < states; ++n)
        for (std::int64_t r = 0; r < images.height; ++r) {
            const std::uint8_t* row = state + (n * images.height + r) * images.width;
            const std::uint8_t* end = row + images.width;
            const std::uint8_t* first = std::find(row, end, unknown);
            if (first == end) continue;
            box.top = std::min(box.top, r), box.bottom = std::max(box.bottom, r + 1);
            box.left = std::min<std::int64_t>(box.left, first - row);
            const std::uint8_t* last = end;
            while (*(last - 1) != unknown) --last;
            box.right = std::max<std::int64_t>(box.right, last - row);
        }
    return box;
}

// The last plan and its memory, for the next image of that size.
constexpr double most_kept = 256e6;  // bytes

template <typename T>
struct Kept {
    std::mutex lock;
    std::unique_ptr<Solver<T>> solver;

    std::unique_ptr<Solver<T>> take(std::int64_t height, std::int64_t width, int workers) {
        const std::lock_guard guard(lock);
        if (solver) {
            const SolverPlan& plan = solver->plan();
            if (plan.dissection.height == height && plan.dissection.width == width && plan.workers == workers)
                return std::move(solver);
            solver.reset();
        }
        return nullptr;
    }
    void give(std::unique_ptr<Solver<T>> used) {
        if (Solver<T>::bytes(used->plan()) > most_kept) return;
        const std::lock_guard guard(lock);
        solver = std::move(used);
    }
};

template <typename T>
Kept<T>& kept() {
    static Kept<T> one;
    return one;
}

template <typename T>
void forget() {
    kept<T>().take(0, 0, 0);
}

// Only one precision's memory is kept.
template <typename T>
using Other = std::conditional_t<std::is_same_v<T, double>, float, double>;

template <typename T>
std::vector<std::unique_ptr<Solver<T>>> make_solvers(const Box& box, int count, int workers) {
    std::vector<std::unique_ptr<Solver<T>>> solvers;
    const std::int64_t height = box.bottom - box.top, width = box.right - box.left;
    forget<Other<T>>();
    if (auto old = kept<T>().take(height, width, workers)) solvers.push_back(std::move(old));
    if (solvers.empty())
        solvers.push_back(std::make_unique<Solver<T>>(std::make_shared<const SolverPlan>(height, width, workers)));
    while (static_cast<int>(solvers.size()) < count)
        solvers.push_back(std::make_unique<Solver<T>>(solvers.front()->shared_plan()));
    return solvers;
}

template <typename T>
bool all_maps(const Job& job, T* out, const Progress& progress) {
    const std::int64_t count = job.images.count;
    const bool images_in_parallel = count >= job.options.threads;
    const int workers = images_in_parallel ? 1 : job.options.threads;
    const int many = images_in_parallel ? job.options.threads : 1;
    std::vector<std::unique_ptr<Solver<T>>> solvers;
    if (!job.box.empty()) solvers = make_solvers<T>(job.box, many, workers);
    std::vector<Scratch> scratch;
    scratch.reserve(static_cast<std::size_t>(many));
    for (int i = 0; i < many; ++i) {
        scratch.emplace_back(job.pixels(), job.images.width);
        if (!job.per_image) read_state(job, 0, scratch.back());
    }
    auto solver = [&](int worker) {
        return solvers.empty() ? nullptr : solvers[static_cast<std::size_t>(worker)].get();
    };
    bool whole = true;
    if (images_in_parallel && count > 1) {
        whole = parallel_for(
            count, many,
            [&](std::int64_t n, int worker) {
                one_map(job, n, scratch[static_cast<std::size_t>(worker)], !job.per_image, solver(worker),
                        out + n * job.pixels(), {});
            },
            progress);
    } else {
        for (std::int64_t n = 0; n < count && whole; ++n) {
            std::function<bool()> go_on;
            if (progress) go_on = [&, n] { return progress(n, count); };
            whole = one_map(job, n, scratch[0], !job.per_image, solver(0), out + n * job.pixels(), go_on);
        }
        if (whole && progress) whole = progress(count, count);
    }
    if (!solvers.empty()) kept<T>().give(std::move(solvers.front()));
    return whole;
}

}  // namespace

bool confidence_maps(const ConfidenceImages& images, const std::uint8_t* state, bool per_image, const double* factor,
                     const ConfidenceOptions& options, void* out, const Progress& progress) {
    const Box box = box_of(images, state, per_image ? images.count : 1);
    Job job{images, state, per_image, factor, options, box};
    const auto most = static_cast<int>(std::max<std::int64_t>(1, job.pixels() * images.count / 4096));
    job.options.threads = std::clamp(options.threads, 1, std::min(most, 1024));
    return options.single ? all_maps(job, static_cast<float*>(out), progress)
                          : all_maps(job, static_cast<double*>(out), progress);
}

double confidence_bytes(std::int64_t height, std::int64_t width, bool single) {
    if (height < 1 || width < 1) return 0;
    const SolverPlan plan(height, width, 1);
    const double scratch = static_cast<double>(height * width) * (sizeof(double) + 1 + 2 * sizeof(std::int64_t));
    return scratch + (single ? Solver<float>::bytes(plan) : Solver<double>::bytes(plan));
}

void confidence_forget() {
    forget<double>();
    forget<float>();
}

}  // namespace usfast
