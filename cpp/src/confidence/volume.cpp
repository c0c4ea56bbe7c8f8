#include <algorithm>
#include <cmath>
#include <vector>

#include "kernel.hpp"
#include "usfast/confidence_volume.hpp"
#include "volume_kernel.hpp"
#include "volume_multigrid.hpp"

namespace usfast {

namespace {

constexpr auto unknown = static_cast<std::uint8_t>(Pixel::unknown);
constexpr auto source = static_cast<std::uint8_t>(Pixel::source);
constexpr auto sink = static_cast<std::uint8_t>(Pixel::sink);
constexpr auto outside = static_cast<std::uint8_t>(Pixel::outside);

std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }

// The lattice and what is solved for on it. Rows and planes are one voxel longer than the volume's.
struct System {
    std::int64_t size[3], pitch[3];  // along z, y, x
    Lattice lattice{};
    std::vector<float> floats;
    std::vector<std::uint8_t> state;  // of the volume's voxels
    std::vector<double> right;
    int threads;
    bool any_outside = false;

    System(const std::int64_t shape[3], int threads_);
    std::int64_t voxels() const { return size[0] * size[1] * size[2]; }
    std::int64_t length() const { return lattice.nodes + 2 * lattice.margin; }
    template <typename T>
    std::vector<T> vector() const {
        return std::vector<T>(index(length()), T{0});
    }
    // use(first voxel of the row, its node)
    template <typename Use>
    void each_row(const Use& use) const {
        parallel_for(size[0], threads, [&](std::int64_t z, int) {
            for (std::int64_t y = 0; y < size[1]; ++y)
                use((z * size[1] + y) * size[2], z * pitch[0] + y * pitch[1], z, y);
        });
    }
    template <typename Use>
    void each_chunk(const Use& use) const {
        const std::int64_t nodes = lattice.nodes, tasks = (nodes + chunk_nodes - 1) / chunk_nodes;
        parallel_for(tasks, threads, [&](std::int64_t t, int) {
            use(t * chunk_nodes, std::min(nodes, (t + 1) * chunk_nodes), index(t));
        });
    }
};

// The neighbours that come after a voxel: steps along z, y, x.
struct Step {
    std::int64_t by[3];
};

void list_steps(Step steps[lattice_edges]) {
    int count = 0;
    for (std::int64_t z = 0; z <= 1; ++z)
        for (std::int64_t y = -1; y <= 1; ++y)
            for (std::int64_t x = -1; x <= 1; ++x)
                if (z > 0 || y > 0 || (y == 0 && x > 0)) steps[count++] = {{z, y, x}};
}

bool along(const Step& step, int axis) {
    for (int i = 0; i < 3; ++i)
        if ((step.by[i] != 0) != (i == axis)) return false;
    return true;
}

System::System(const std::int64_t shape[3], int threads_) : threads(threads_) {
    std::copy_n(shape, 3, size);
    pitch[2] = 1, pitch[1] = size[2] + 1, pitch[0] = (size[1] + 1) * pitch[1];
    lattice.nodes = size[0] * pitch[0];
    lattice.margin = pitch[0] + pitch[1] + 1;
    lattice.pitch = pitch[1], lattice.plane_rows = size[1] + 1;
    floats.assign(index(length() * (lattice_edges + 2)), 0);
    Step steps[lattice_edges];
    list_steps(steps);
    float* next = floats.data() + lattice.margin;
    for (int k = 0; k < lattice_edges; ++k, next += length()) {
        lattice.offset[k] = 0;
        for (int i = 0; i < 3; ++i) lattice.offset[k] += steps[k].by[i] * pitch[i];
        lattice.weight[k] = next;
    }
    lattice.excess = next;
    lattice.inverse = next + length();
    state.resize(index(voxels()));
}

// Voxels from which no path leads to a seed count as outside, as in the plane.
void drop_lost(System& s) {
    constexpr std::uint8_t reached = 255;
    std::vector<std::int64_t> queue;
    const auto spread = [&](std::int64_t at) {
        const std::int64_t here[3] = {at / (s.size[1] * s.size[2]), at / s.size[2] % s.size[1], at % s.size[2]};
        std::int64_t low[3], high[3];
        for (int i = 0; i < 3; ++i)
            low[i] = std::max<std::int64_t>(here[i] - 1, 0), high[i] = std::min(here[i] + 1, s.size[i] - 1);
        for (std::int64_t z = low[0]; z <= high[0]; ++z)
            for (std::int64_t y = low[1]; y <= high[1]; ++y)
                for (std::int64_t x = low[2]; x <= high[2]; ++x) {
                    const std::int64_t q = (z * s.size[1] + y) * s.size[2] + x;
                    if (s.state[index(q)] != unknown) continue;
                    s.state[index(q)] = reached;
                    queue.push_back(q);
                }
    };
    for (std::int64_t i = 0; i < s.voxels(); ++i) {
        if (s.state[index(i)] != source && s.state[index(i)] != sink) continue;
        spread(i);
        while (!queue.empty()) {
            const std::int64_t at = queue.back();
            queue.pop_back();
            spread(at);
        }
    }
    for (auto& state : s.state) state = state == reached ? unknown : state == unknown ? outside : state;
}

// Calls use(k, voxel p, voxel q, count, node of p) for every row of neighbours of a row of voxels.
template <typename Use>
void each_row_of_edges(const System& s, const Use& use) {
    Step steps[lattice_edges];
    list_steps(steps);
    s.each_row([&](std::int64_t voxel, std::int64_t node, std::int64_t z, std::int64_t y) {
        for (int k = 0; k < lattice_edges; ++k) {
            const auto& by = steps[k].by;
            if (z + by[0] >= s.size[0] || y + by[1] < 0 || y + by[1] >= s.size[1]) continue;
            const std::int64_t from = by[2] < 0 ? 1 : 0, to = by[2] > 0 ? s.size[2] - 1 : s.size[2];
            if (to <= from) continue;
            const std::int64_t p = voxel + from;
            use(k, p, p + (by[0] * s.size[1] + by[1]) * s.size[2] + by[2], to - from, node + from, z);
        }
    });
}

// Largest difference of neighbours along the beam and of all others.
void largest_differences(const System& s, const double* a, const std::uint8_t* state, const bool vertical[],
                         double largest[2]) {
    std::vector<double> found(index(2 * s.size[0]), 0);
    each_row_of_edges(s, [&](int k, std::int64_t p, std::int64_t q, std::int64_t count, std::int64_t, std::int64_t z) {
        double most = 0;
        if (!s.any_outside) {
            most = confidence_table().largest_difference(a + p, a + q, count);
        } else {
            for (std::int64_t i = 0; i < count; ++i)
                if (state[p + i] != outside && state[q + i] != outside)
                    most = std::max(most, std::abs(a[p + i] - a[q + i]));
        }
        double& value = found[index(2 * z + (vertical[k] ? 1 : 0))];
        value = std::max(value, most);
    });
    largest[0] = largest[1] = 0;
    for (std::size_t i = 0; i < found.size(); ++i) largest[i % 2] = std::max(largest[i % 2], found[i]);
}

// Weights of all edges; those to voxels of known value become excess and right-hand side.
void write_system(System& s, const double* a, const std::uint8_t* state, const ConfidenceVolumeOptions& options) {
    Step steps[lattice_edges];
    list_steps(steps);
    bool vertical[lattice_edges];
    for (int k = 0; k < lattice_edges; ++k) vertical[k] = along(steps[k], options.axis);
    double largest[2];
    largest_differences(s, a, state, vertical, largest);
    const double first = std::max(largest[0], largest[1]) + 0x1p-52;
    const double second = std::max(largest[1] / first, largest[0] / first + options.gamma) + 0x1p-52;
    each_row_of_edges(
        s, [&](int k, std::int64_t p, std::int64_t q, std::int64_t count, std::int64_t node, std::int64_t) {
            double part[256];
            for (std::int64_t i = 0; i < count; i += 256) {
                const std::int64_t some = std::min<std::int64_t>(256, count - i);
                confidence_table().weights(a + p + i, a + q + i, some, first, vertical[k] ? 0 : options.gamma, second,
                                           options.beta, 1e-5, part);
                for (std::int64_t j = 0; j < some; ++j) s.lattice.weight[k][node + i + j] = static_cast<float>(part[j]);
            }
        });
    std::vector<float> sought = s.vector<float>(), known = s.vector<float>(), sources = s.vector<float>();
    s.right = s.vector<double>();
    const std::int64_t margin = s.lattice.margin;
    s.each_row([&](std::int64_t voxel, std::int64_t node, std::int64_t, std::int64_t) {
        for (std::int64_t x = 0; x < s.size[2]; ++x) {
            const std::uint8_t what = s.state[index(voxel + x)];
            const std::size_t at = index(margin + node + x);
            sought[at] = what == unknown ? 1 : 0;
            known[at] = what == source || what == sink ? 1 : 0;
            sources[at] = what == source ? 1 : 0;
        }
    });
    const LatticeTable& kernels = lattice_table();
    s.each_chunk([&](std::int64_t from, std::int64_t to, std::size_t) {
        kernels.gather_known(s.lattice, known.data() + margin, sources.data() + margin, s.right.data() + margin, from,
                             to);
    });
    s.each_chunk([&](std::int64_t from, std::int64_t to, std::size_t) {
        kernels.keep_sought(s.lattice, sought.data() + margin, from, to);
        for (std::int64_t p = from; p < to; ++p)
            if (sought[index(margin + p)] == 0) s.lattice.excess[p] = 0, s.right[index(margin + p)] = 0;
    });
    s.each_chunk([&](std::int64_t from, std::int64_t to, std::size_t) {
        kernels.invert(s.lattice, sought.data() + margin, from, to);
    });
}

// Conjugate gradients in double precision; the preconditioner is not quite linear, so directions are made conjugate to
// the last one explicitly.
class Solve {
  public:
    Solve(System& system, const ConfidenceVolumeOptions& options, const Progress& progress)
        : s_(system), options_(options), progress_(progress), margin_(system.lattice.margin) {}

    ConfidenceVolumeResult run();
    const double* solution() const { return x_.data() + margin_; }

  private:
    bool go_on() const { return !progress_ || progress_(percent_, 100); }
    void estimate();

    System& s_;
    const ConfidenceVolumeOptions& options_;
    const Progress& progress_;
    std::int64_t margin_, percent_ = 0;
    Multigrid multigrid_;
    std::vector<double> x_, direction_, image_, parts_, other_parts_;
    std::vector<float> single_, corrected_;
    double curvature_ = 0, error_ = 1;
    std::vector<double> moves_;
};

ConfidenceVolumeResult Solve::run() {
    const Poll poll = [this] { return go_on(); };
    const ConfidenceVolumeResult stopped{ConfidenceEnd::stopped, 0, 1};
    if (!poll() || !multigrid_.build(s_.lattice, s_.threads, poll)) return stopped;
    x_ = s_.vector<double>(), direction_ = s_.vector<double>(), image_ = s_.vector<double>();
    single_ = s_.vector<float>(), corrected_ = s_.vector<float>();
    const std::size_t chunks = index((s_.lattice.nodes + chunk_nodes - 1) / chunk_nodes);
    parts_.assign(chunks, 0), other_parts_.assign(chunks, 0);
    std::vector<double>& rest = s_.right;
    const LatticeTable& kernels = lattice_table();
    double* p = direction_.data() + margin_;
    double* ap = image_.data() + margin_;
    double* r = rest.data() + margin_;
    double* x = x_.data() + margin_;
    const auto sum = [](const std::vector<double>& parts) {
        double all = 0;
        for (const double part : parts) all += part;
        return all;
    };
    const auto most = [](const std::vector<double>& parts) { return *std::max_element(parts.begin(), parts.end()); };
    s_.each_chunk([&](std::int64_t from, std::int64_t to, std::size_t part) {
        double m = 0;
        for (std::int64_t i = from; i < to; ++i) m = std::max(m, std::abs(r[i]));
        parts_[part] = m;
    });
    double size = most(parts_);
    if (size == 0) return {ConfidenceEnd::converged, 0, 0};
    for (int iteration = 1; iteration <= options_.most_iterations; ++iteration) {
        const double scale = std::exp2(std::round(std::log2(size)));
        float* b = single_.data() + margin_;
        float* z = corrected_.data() + margin_;
        s_.each_chunk([&](std::int64_t from, std::int64_t to, std::size_t) {
            for (std::int64_t i = from; i < to; ++i) b[i] = static_cast<float>(r[i] / scale);
        });
        if (!multigrid_.cycle(b, z, poll)) return stopped;
        s_.each_chunk([&](std::int64_t from, std::int64_t to, std::size_t part) {
            double with_image = 0;
            for (std::int64_t i = from; i < to; ++i) with_image += double{z[i]} * ap[i];
            parts_[part] = with_image * scale;
        });
        const double beta = iteration == 1 ? 0 : -sum(parts_) / curvature_;
        s_.each_chunk([&](std::int64_t from, std::int64_t to, std::size_t part) {
            double m = 0, along_rest = 0;
            for (std::int64_t i = from; i < to; ++i) {
                const double value = scale * double{z[i]};
                p[i] = value + beta * p[i];
                along_rest += p[i] * r[i];
                m = std::max(m, std::abs(value));
            }
            parts_[part] = along_rest, other_parts_[part] = m;
        });
        const double along_rest = sum(parts_), correction = most(other_parts_);
        s_.each_chunk([&](std::int64_t from, std::int64_t to, std::size_t part) {
            parts_[part] = kernels.apply(s_.lattice, p, ap, from, to);
        });
        curvature_ = sum(parts_);
        if (!(curvature_ > 0) || !std::isfinite(curvature_)) return {ConfidenceEnd::stalled, iteration, error_};
        const double alpha = along_rest / curvature_;
        s_.each_chunk([&](std::int64_t from, std::int64_t to, std::size_t part) {
            double m = 0, left = 0;
            for (std::int64_t i = from; i < to; ++i) {
                const double change = alpha * p[i];
                x[i] += change;
                r[i] -= alpha * ap[i];
                m = std::max(m, std::abs(change));
                left = std::max(left, std::abs(r[i]));
            }
            parts_[part] = m, other_parts_[part] = left;
        });
        size = most(other_parts_);
        moves_.push_back(std::max(most(parts_), correction));
        estimate();
        if (size == 0 || error_ <= options_.tolerance) return {ConfidenceEnd::converged, iteration, error_};
        percent_ = std::clamp<std::int64_t>(
            static_cast<std::int64_t>(100 * std::log(error_) / std::log(options_.tolerance)), percent_, 99);
        if (!go_on()) return stopped;
    }
    return {ConfidenceEnd::stalled, options_.most_iterations, error_};
}

// What is still to come after moves that shrink like a geometric series, and ten times that to be safe: moves do not
// shrink evenly.
void Solve::estimate() {
    constexpr std::size_t window = 4;
    constexpr double safety = 10;
    const std::size_t n = moves_.size();
    if (n <= window) return;
    double recent = 0;
    for (std::size_t i = n - 2; i < n; ++i) recent = std::max(recent, moves_[i]);
    const double rate = std::clamp(std::pow(moves_[n - 1] / moves_[n - 1 - window], 1.0 / window), 0.2, 0.99);
    error_ = std::min(1.0, safety * recent * rate / (1 - rate));
}

}  // namespace

ConfidenceVolumeResult confidence_volume(const std::int64_t shape[3], const double* attenuated,
                                         const std::uint8_t* state, const ConfidenceVolumeOptions& options, double* out,
                                         const Progress& progress) {
    System s(shape, std::clamp(options.threads, 1, 1024));
    std::copy_n(state, s.voxels(), s.state.data());
    const auto is = [&](std::uint8_t what) { return std::find(state, state + s.voxels(), what) != state + s.voxels(); };
    s.any_outside = is(outside);
    if (s.any_outside || !(is(source) || is(sink))) drop_lost(s);
    write_system(s, attenuated, state, options);
    Solve solve(s, options, progress);
    const ConfidenceVolumeResult result = solve.run();
    if (result.end == ConfidenceEnd::stopped) return result;
    s.each_row([&](std::int64_t voxel, std::int64_t node, std::int64_t, std::int64_t) {
        for (std::int64_t x = 0; x < s.size[2]; ++x) {
            const std::uint8_t what = s.state[index(voxel + x)];
            const double value = what == unknown && result.iterations > 0 ? solve.solution()[node + x] : 0;
            out[voxel + x] = what == source ? 1 : std::clamp(value, 0.0, 1.0);
        }
    });
    if (progress && !progress(100, 100)) return {ConfidenceEnd::stopped, result.iterations, result.error};
    return result;
}

double confidence_volume_bytes(const std::int64_t shape[3]) {
    const double nodes =
        static_cast<double>(shape[0]) * static_cast<double>(shape[1] + 1) * static_cast<double>(shape[2] + 1);
    return nodes * 220;
}

}  // namespace usfast
