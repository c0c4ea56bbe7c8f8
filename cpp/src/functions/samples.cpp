#include "samples.hpp"

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>

#include "../interpolate/pixels.hpp"

namespace usfast::functions {
namespace {

struct Sum {
    double weight, value, x, y, z;

    void add(double w, double v, double px, double py, double pz) {
        weight += w, value += w * v, x += w * px, y += w * py, z += w * pz;
    }
    Sample mean(std::int64_t cell) const {
        const double scale = 1 / weight;
        return {static_cast<float>(x * scale),
                static_cast<float>(y * scale),
                static_cast<float>(z * scale),
                static_cast<std::int32_t>(cell),
                static_cast<float>(std::clamp(weight, static_cast<double>(FLT_MIN), static_cast<double>(FLT_MAX))),
                value * scale};
    }
};

// Narrows [first, last) to where low <= base + slope u < high, give or take one.
void narrow(double base, double slope, double low, double high, double& first, double& last) {
    if (!(std::abs(slope) > 0)) {
        if (!(base >= low && base < high)) last = first;
        return;
    }
    const double a = (low - base) / slope, b = (high - base) / slope;
    first = std::max(first, std::min(a, b) - 1), last = std::min(last, std::max(a, b) + 2);
}

// Adds the pixels of one frame that lie in the planes [z0, z1) of cells.
template <typename T>
void add_frame(const FrameStack& frames, const interpolation::Pixels<T>& pixels, std::int64_t used, const Frame& frame,
               const GridSize& cells, const Quantity& quantity, const double* table, std::int64_t z0, std::int64_t z1,
               Sum* sums) {
    const double* m = frames.image_to_voxel + 12 * used;
    const double low[3] = {0, 0, static_cast<double>(z0)};
    const double high[3] = {static_cast<double>(cells.x), static_cast<double>(cells.y), static_cast<double>(z1)};
    for (std::int64_t v = 0; v < frames.height; ++v) {
        double base[3], first = 0, last = static_cast<double>(frames.width);
        for (int a = 0; a < 3; ++a) {
            base[a] = m[4 * a + 1] * static_cast<double>(v) + m[4 * a + 3] + static_cast<double>(frame.margin[a]);
            narrow(base[a], m[4 * a], low[a], high[a], first, last);
        }
        if (!(first < last)) continue;
        const T* line = pixels.row(used, v);
        for (auto u = static_cast<std::int64_t>(first); u < static_cast<std::int64_t>(std::ceil(last)); ++u) {
            double place[3];
            bool inside = true;
            for (int a = 0; a < 3; ++a) {
                place[a] = base[a] + m[4 * a] * static_cast<double>(u);
                inside = inside && place[a] >= low[a] && place[a] < high[a];
            }
            if (!inside) continue;
            const interpolation::Sample s = pixels.in_row(line, used, u, v);
            if (!(s.weight > 0)) continue;
            const auto x = static_cast<std::int64_t>(place[0]), y = static_cast<std::int64_t>(place[1]);
            const auto z = static_cast<std::int64_t>(place[2]);
            double value = 0;
            if constexpr (std::is_same_v<T, std::uint8_t>)
                value = table[line[u]];
            else
                value = quantity.of(s.value);
            sums[((z - z0) * cells.y + y) * cells.x + x].add(s.weight, value, place[0] - static_cast<double>(x),
                                                             place[1] - static_cast<double>(y),
                                                             place[2] - static_cast<double>(z));
        }
    }
}

// Does any pixel of the frame lie in the planes [z0, z1)?
bool meets(const FrameStack& frames, std::int64_t used, const Frame& frame, std::int64_t z0, std::int64_t z1) {
    const double* m = frames.image_to_voxel + 12 * used + 8;
    const double across = m[0] * static_cast<double>(frames.width - 1);
    const double down = m[1] * static_cast<double>(frames.height - 1);
    const double base = m[3] + static_cast<double>(frame.margin[2]);
    const double low = base + std::min(across, 0.0) + std::min(down, 0.0);
    const double high = base + std::max(across, 0.0) + std::max(down, 0.0);
    return high >= static_cast<double>(z0) - 1 && low <= static_cast<double>(z1) + 1;
}

template <typename T>
bool collect_as(const FrameStack& frames, const Frame& frame, const Quantity& quantity, Tasks& tasks,
                Samples& samples) {
    const GridSize cells{frame.nodes.x - 1, frame.nodes.y - 1, frame.nodes.z - 1};
    const std::int64_t plane = cells.x * cells.y;
    const std::int64_t depth = std::clamp<std::int64_t>((1 << 17) / plane, 1, 16);
    const std::int64_t slabs = (cells.z + depth - 1) / depth;
    const interpolation::Pixels<T> pixels(frames);
    double table[256];
    for (int i = 0; i < 256; ++i) table[i] = quantity.of(i);
    std::vector<std::vector<Sum>> scratch(static_cast<std::size_t>(tasks.threads()));
    std::vector<std::vector<Sample>> parts(static_cast<std::size_t>(slabs));
    std::vector<std::int64_t> counts(static_cast<std::size_t>(cells.y * cells.z));
    const bool whole = tasks.run(slabs, [&](std::int64_t slab, int worker) {
        const std::int64_t z0 = slab * depth, z1 = std::min(z0 + depth, cells.z);
        auto& sums = scratch[static_cast<std::size_t>(worker)];
        sums.assign(static_cast<std::size_t>((z1 - z0) * plane), Sum{});
        for (std::int64_t i = 0; i < frames.used; ++i)
            if (meets(frames, i, frame, z0, z1))
                add_frame<T>(frames, pixels, i, frame, cells, quantity, table, z0, z1, sums.data());
        auto& part = parts[static_cast<std::size_t>(slab)];
        const Sum* sum = sums.data();
        for (std::int64_t row = z0 * cells.y; row < z1 * cells.y; ++row) {
            const std::size_t before = part.size();
            for (std::int64_t x = 0; x < cells.x; ++x, ++sum)
                if (sum->weight > 0) part.push_back(sum->mean(x));
            counts[static_cast<std::size_t>(row)] = static_cast<std::int64_t>(part.size() - before);
        }
    });
    if (!whole) return false;
    samples.cells = cells;
    samples.first.assign(counts.size() + 1, 0);
    for (std::size_t i = 0; i < counts.size(); ++i) samples.first[i + 1] = samples.first[i] + counts[i];
    samples.list.resize(static_cast<std::size_t>(samples.first.back()));
    Sample* to = samples.list.data();
    for (auto& part : parts) {
        to = std::copy(part.begin(), part.end(), to);
        std::vector<Sample>().swap(part);
    }
    return true;
}

}  // namespace

double Quantity::of(double pixel) const {
    if (kind == Kind::value) return pixel;
    if (kind == Kind::decompressed_power) return 0.5 * std::exp(2 * pixel / parameter);
    const double amplitude = std::max(pixel, parameter);
    return 0.5 * amplitude * amplitude;
}

bool collect(const FrameStack& frames, const Frame& frame, const Quantity& quantity, Tasks& tasks, Samples& samples) {
    return frames.dtype == Dtype::uint8 ? collect_as<std::uint8_t>(frames, frame, quantity, tasks, samples)
                                        : collect_as<float>(frames, frame, quantity, tasks, samples);
}

Samples coarser(const Samples& fine) {
    Samples coarse;
    coarse.cells = {(fine.cells.x + 1) / 2, (fine.cells.y + 1) / 2, (fine.cells.z + 1) / 2};
    coarse.first.reserve(static_cast<std::size_t>(coarse.cells.y * coarse.cells.z) + 1);
    coarse.first.push_back(0);
    std::vector<Sum> sums(static_cast<std::size_t>(coarse.cells.x));
    for (std::int64_t z = 0; z < coarse.cells.z; ++z)
        for (std::int64_t y = 0; y < coarse.cells.y; ++y) {
            std::fill(sums.begin(), sums.end(), Sum{});
            for (std::int64_t k = 2 * z; k < std::min(2 * z + 2, fine.cells.z); ++k)
                for (std::int64_t j = 2 * y; j < std::min(2 * y + 2, fine.cells.y); ++j) {
                    const std::int64_t row = fine.row(j, k);
                    for (const Sample* s = fine.begin(row); s != fine.end(row); ++s)
                        sums[static_cast<std::size_t>(s->cell / 2)].add(
                            static_cast<double>(s->weight), s->value, 0.5 * (s->cell % 2 + static_cast<double>(s->x)),
                            0.5 * (static_cast<double>(j % 2) + static_cast<double>(s->y)),
                            0.5 * (static_cast<double>(k % 2) + static_cast<double>(s->z)));
                }
            for (std::int64_t x = 0; x < coarse.cells.x; ++x)
                if (sums[static_cast<std::size_t>(x)].weight > 0)
                    coarse.list.push_back(sums[static_cast<std::size_t>(x)].mean(x));
            coarse.first.push_back(static_cast<std::int64_t>(coarse.list.size()));
        }
    return coarse;
}

bool cover(const Samples& samples, const Frame& frame, const GridSize& size, const FunctionOptions& options,
           Tasks& tasks, float* weight) {
    const double* h = options.spacing;
    const double reach2 = options.reach * options.reach;
    std::vector<std::vector<double>> rows(static_cast<std::size_t>(tasks.threads()));
    for (auto& row : rows) row.resize(static_cast<std::size_t>(size.x));
    const auto around = [&](std::int64_t node, int axis, std::int64_t cells, std::int64_t& first, std::int64_t& last) {
        const auto span = static_cast<std::int64_t>(options.reach / h[axis]) + 1;
        first = std::max<std::int64_t>(node - span - 1, 0), last = std::min(node + span + 1, cells);
    };
    return tasks.run(size.y * size.z, [&](std::int64_t task, int worker) {
        auto& sums = rows[static_cast<std::size_t>(worker)];
        std::fill(sums.begin(), sums.end(), 0.0);
        const std::int64_t y = task % size.y + frame.margin[1], z = task / size.y + frame.margin[2];
        std::int64_t y0, y1, z0, z1;
        around(y, 1, samples.cells.y, y0, y1), around(z, 2, samples.cells.z, z0, z1);
        for (std::int64_t k = z0; k < z1; ++k)
            for (std::int64_t j = y0; j < y1; ++j) {
                const std::int64_t row = samples.row(j, k);
                for (const Sample* s = samples.begin(row); s != samples.end(row); ++s) {
                    const double dy = (static_cast<double>(j - y) + static_cast<double>(s->y)) * h[1];
                    const double dz = (static_cast<double>(k - z) + static_cast<double>(s->z)) * h[2];
                    const double left = reach2 - dy * dy - dz * dz;
                    if (!(left > 0)) continue;
                    const double place = static_cast<double>(s->cell - frame.margin[0]) + static_cast<double>(s->x);
                    const double half = std::sqrt(left) / h[0];
                    const auto first = static_cast<std::int64_t>(std::max(std::ceil(place - half), 0.0));
                    const auto last =
                        static_cast<std::int64_t>(std::min(std::floor(place + half), static_cast<double>(size.x - 1)));
                    const double w = static_cast<double>(s->weight) / reach2;
                    for (std::int64_t x = first; x <= last; ++x) {
                        const double dx = (static_cast<double>(x) - place) * h[0];
                        sums[static_cast<std::size_t>(x)] += w * std::max(left - dx * dx, 0.0);
                    }
                }
            }
        float* out = weight + task * size.x;
        for (std::int64_t x = 0; x < size.x; ++x) {
            const double sum = sums[static_cast<std::size_t>(x)];
            out[x] =
                sum > 0
                    ? static_cast<float>(std::clamp(sum, static_cast<double>(FLT_MIN), static_cast<double>(FLT_MAX)))
                    : 0.0f;
        }
    });
}

}  // namespace usfast::functions
