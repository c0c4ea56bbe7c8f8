// Methods that take all pixels in a sphere around a voxel.
#include <utility>

#include "brick.hpp"
#include "families.hpp"

namespace usfast::interpolation {
namespace {

struct Neighbour {
    double value, weight, square;  // intensity, importance, squared distance in mm^2
};

// A frame whose plane comes within reach of voxels [first, last) of a row, and its functions along that row.
struct Visible {
    const Plane* plane;
    std::int64_t frame;
    Span span;
    double distance, u, v, wide, tall;  // wide, tall: columns and rows of the image that one mm in its plane can take
};

// The first and last whole number of [0, count) in a range with these ends; cheaper than std::ceil and std::floor.
inline std::int64_t first_at(double low, std::int64_t count) {
    if (!(low > 0)) return 0;
    if (low > static_cast<double>(count)) return count;
    const auto whole = static_cast<std::int64_t>(low);
    return whole + (static_cast<double>(whole) < low);
}

inline std::int64_t last_at(double high, std::int64_t count) {
    if (!(high >= 0)) return -1;
    return high < static_cast<double>(count - 1) ? static_cast<std::int64_t>(high) : count - 1;
}

// The pixels of a frame in the box around the sphere's cut with its plane.
struct Cut {
    double distance, u, v;  // of the voxel
    std::int64_t u_first, u_last, v_first, v_last;

    std::size_t count() const { return static_cast<std::size_t>((u_last - u_first + 1) * (v_last - v_first + 1)); }
};

template <typename T>
bool cut(const Pixels<T>& pixels, const Visible& f, double x, double reach, Cut& c) {
    c.distance = f.distance + f.plane->distance.x * x;
    const double around = reach * reach - c.distance * c.distance;
    if (!(around >= 0)) return false;
    const double half = std::sqrt(around), half_u = half * f.wide + 1e-6, half_v = half * f.tall + 1e-6;
    c.u = f.u + f.plane->u.x * x, c.v = f.v + f.plane->v.x * x;
    c.u_first = first_at(c.u - half_u, pixels.width()), c.u_last = last_at(c.u + half_u, pixels.width());
    c.v_first = first_at(c.v - half_v, pixels.height()), c.v_last = last_at(c.v + half_v, pixels.height());
    return c.u_first <= c.u_last && c.v_first <= c.v_last;
}

// Calls take(value, importance, squared distance, counts) for every pixel of the box, by row and column; `counts` where
// it counts and lies within the sphere. No branch depends on that: the processor could not foresee it.
template <typename T, typename Take>
void visit(const Pixels<T>& pixels, const Visible& f, const Cut& c, double reach, const Take& take) {
    const Plane& p = *f.plane;
    const double off_plane = c.distance * c.distance, limit = reach * reach;
    for (std::int64_t v = c.v_first; v <= c.v_last; ++v) {
        const double dv = static_cast<double>(v) - c.v, middle = c.u - p.shear * dv;
        const double off_column = off_plane + p.rest_v * dv * dv;
        const T* line = pixels.row(f.frame, v);
        for (std::int64_t u = c.u_first; u <= c.u_last; ++u) {
            const double du = static_cast<double>(u) - middle, square = off_column + p.square_u * du * du;
            const Sample s = pixels.in_row(line, f.frame, u, v);
            take(s.value, s.weight, square, (square <= limit) & (s.weight > 0));
        }
    }
}

// Mean weighted by importance / (squared distance + alpha).
Sample weighted_mean(const std::vector<Neighbour>& near, double alpha) {
    double sum = 0, total = 0;
    for (const Neighbour& n : near) {
        const double w = n.weight / (n.square + alpha);
        sum += w * n.value;
        total += w;
    }
    return total > 0 ? Sample{sum / total, total} : Sample{};
}

// Alpha between its limits by the ratio of variance to mean.
double adapted_alpha(const std::vector<Neighbour>& near, const InterpolateOptions& o) {
    double sum = 0, total = 0, squares = 0;
    for (const Neighbour& n : near) sum += n.weight * n.value, total += n.weight;
    const double mean = sum / total;
    for (const Neighbour& n : near) squares += n.weight * (n.value - mean) * (n.value - mean);
    const double variance = squares / total;
    if (!(variance > 0)) return o.largest_alpha;
    const double ratio = variance / (std::abs(mean) * o.halfway);  // infinite for mean 0
    return o.alpha + (o.largest_alpha - o.alpha) / (1 + ratio * ratio * (ratio * ratio));
}

// The value that half of the weight lies below; midway between two where it is exactly half.
Sample weighted_median(std::vector<Neighbour>& near, double alpha) {
    if (near.empty()) return {};
    double total = 0;
    if (alpha > 0)
        for (Neighbour& n : near) n.weight /= n.square + alpha;
    for (const Neighbour& n : near) total += n.weight;
    // Equal values in the order of their weights: the sum below is then the same wherever they came from.
    std::sort(near.begin(), near.end(), [](const Neighbour& a, const Neighbour& b) {
        return a.value < b.value || (!(b.value < a.value) && a.weight < b.weight);
    });
    double below = 0;
    for (std::size_t i = 0; i + 1 < near.size(); ++i) {
        below += near[i].weight;
        if (2 * below > total) return {near[i].value, total};
        if (!(2 * below < total)) return {0.5 * (near[i].value + near[i + 1].value), total};
    }
    return {near.back().value, total};
}

// What one thread needs; grows with what it meets and is used again.
struct Scratch {
    std::vector<Visible> visible;     // in the order of the frames
    std::vector<std::int32_t> order;  // visible frames of each voxel of the row: brick_x lists, visible.size() apart
    std::vector<Neighbour> near;

    void look(const std::vector<Plane>& planes, const std::vector<std::int64_t>& list, double reach, const Row& row) {
        visible.clear();
        for (const std::int64_t i : list) {
            const Plane& p = planes[static_cast<std::size_t>(i)];
            const double distance = p.distance.row(row.y, row.z);
            const Span span = within(distance, p.distance.x, reach, row);
            if (span.first < span.last)
                visible.push_back({&p, i, span, distance, p.u.row(row.y, row.z), p.v.row(row.y, row.z),
                                   length(p.dual_u), length(p.dual_v)});
        }
    }
};

// One voxel from the frames order[0, count) of those visible.
template <typename T>
Sample from_neighbours(const Pixels<T>& pixels, const InterpolateOptions& o, double x, const std::int32_t* order,
                       std::size_t count, Scratch& scratch) {
    Cut c;
    if (o.method == VoxelMethod::squared_distance) {
        double sum = 0, total = 0;
        for (std::size_t k = 0; k < count; ++k) {
            const Visible& f = scratch.visible[static_cast<std::size_t>(order[k])];
            if (!cut(pixels, f, x, o.reach, c)) continue;
            visit(pixels, f, c, o.reach, [&](double value, double importance, double square, bool counts) {
                const double w = counts ? importance / (square + o.alpha) : 0.0;
                sum += w * value;
                total += w;
            });
        }
        return total > 0 ? Sample{sum / total, total} : Sample{};
    }
    auto& near = scratch.near;
    std::size_t found = 0;
    for (std::size_t k = 0; k < count; ++k) {
        const Visible& f = scratch.visible[static_cast<std::size_t>(order[k])];
        if (!cut(pixels, f, x, o.reach, c)) continue;
        near.resize(found + c.count());
        visit(pixels, f, c, o.reach, [&](double value, double importance, double square, bool counts) {
            near[found] = {value, importance, square};  // the next takes its place where it does not count
            found += counts;
        });
    }
    near.resize(found);
    if (near.empty()) return {};
    return o.method == VoxelMethod::adaptive ? weighted_mean(near, adapted_alpha(near, o))
                                             : weighted_median(near, o.alpha);
}

template <typename T>
void neighbours_row(const Pixels<T>& pixels, const InterpolateOptions& o, const Row& row, Scratch& scratch) {
    const std::size_t apart = scratch.visible.size();
    std::size_t counts[brick_x] = {};
    scratch.order.resize(std::max(scratch.order.size(), apart * brick_x));
    for (std::size_t k = 0; k < apart; ++k)
        for (std::int64_t x = scratch.visible[k].span.first; x < scratch.visible[k].span.last; ++x) {
            const auto slot = static_cast<std::size_t>(x - row.first);
            scratch.order[slot * apart + counts[slot]++] = static_cast<std::int32_t>(k);
        }
    for (std::int64_t x = row.first; x < row.last; ++x) {
        const auto slot = static_cast<std::size_t>(x - row.first);
        const Sample s = from_neighbours(pixels, o, static_cast<double>(x), scratch.order.data() + slot * apart,
                                         counts[slot], scratch);
        if (s.weight > 0) row.set(x, s);
    }
}

}  // namespace

template <typename T>
bool interpolate_neighbours(const FrameStack& frames, const GridSize& size, const InterpolateOptions& options,
                            float* volume, float* weight, const Progress& progress) {
    const Pixels<T> pixels(frames);
    const std::vector<Plane> planes = planes_of(frames, options.spacing);
    std::vector<Scratch> scratch(static_cast<std::size_t>(options.threads));
    return for_each_row(
        size, frames.used, options.threads, volume, weight, progress,
        [&](const Box& box, std::int64_t i) {
            return comes_near(planes[static_cast<std::size_t>(i)], box, options.reach, options.reach, pixels);
        },
        [&](const Row& row, const std::vector<std::int64_t>& list, int worker) {
            Scratch& own = scratch[static_cast<std::size_t>(worker)];
            own.look(planes, list, options.reach, row);
            if (!own.visible.empty()) neighbours_row(pixels, options, row, own);
        });
}

template bool interpolate_neighbours<std::uint8_t>(const FrameStack&, const GridSize&, const InterpolateOptions&,
                                                   float*, float*, const Progress&);
template bool interpolate_neighbours<float>(const FrameStack&, const GridSize&, const InterpolateOptions&, float*,
                                            float*, const Progress&);

}  // namespace usfast::interpolation
