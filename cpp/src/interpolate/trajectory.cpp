// VoxelMethod along the probe's way: between two frames in a row, the image plane moves as the probe did.
#include "brick.hpp"
#include "families.hpp"

namespace usfast::interpolation {
namespace {

struct Turn {
    Vector axis;
    double angle;  // radians, 0 to pi/2; negative: more than that
};

// The rotation that takes the axes of frame a to those of frame b.
Turn turn_between(const Plane& a, const Plane& b) {
    const auto axes = [](const Plane& p, Vector out[3]) {
        out[0] = (1 / length(p.step_u)) * p.step_u;
        out[1] = cross(p.normal, out[0]);
        out[2] = p.normal;
    };
    Vector from[3], to[3], twist{0, 0, 0};
    axes(a, from);
    axes(b, to);
    double trace = 0;
    for (int k = 0; k < 3; ++k) {
        trace += dot(from[k], to[k]);
        twist = twist + cross(from[k], to[k]);  // 2 sin(angle) axis in the end
    }
    if (trace < 1) return {{0, 0, 1}, -1};
    const double twice_sine = length(twist);
    if (!(twice_sine > 1e-12)) return {{0, 0, 1}, 0};
    return {(1 / twice_sine) * twist, std::atan2(0.5 * twice_sine, 0.5 * (trace - 1))};
}

// The way from one frame to the next: the centre of the image moves straight and evenly while the image turns evenly
// about one axis. Time runs from 0 to 1.
class Path {
  public:
    template <typename T>
    Path(const Plane& a, const Plane& b, const Pixels<T>& pixels)
        : from_(&a),
          to_(&b),
          centre_u_(0.5 * static_cast<double>(pixels.width() - 1)),
          centre_v_(0.5 * static_cast<double>(pixels.height() - 1)) {
        usable_ = a.usable && b.usable;
        if (!usable_) return;
        const auto centre = [&](const Plane& p) { return p.origin + (centre_u_ * p.step_u + centre_v_ * p.step_v); };
        start_ = centre(a);
        way_ = centre(b) - start_;
        const Turn turn = turn_between(a, b);
        usable_ = turn.angle >= 0;
        axis_ = turn.axis;
        angle_ = turn.angle;
        along_ = dot(axis_, a.normal) * axis_;
        across_ = a.normal - along_;
        ahead_ = cross(axis_, across_);
    }

    bool usable() const { return usable_; }
    const Plane& from() const { return *from_; }
    const Plane& to() const { return *to_; }

    // A bound on how many mm a voxel at `place` slides over the image along the way.
    double slide(const Vector& place) const { return length(way_) + angle_ * (length(place - start_) + length(way_)); }

    // When the plane passes through `place`, which lies `behind` mm from the first frame and `before` mm from the
    // second, on opposite sides or on one of them.
    double time(const Vector& place, double behind, double before) const {
        double low = 0, high = 1, t = std::abs(behind) + std::abs(before) > 0 ? behind / (behind - before) : 0;
        if (!(angle_ > 0)) return t;
        // Newton's steps, or halving where one would leave the bracket.
        for (int step = 0; step < 40; ++step) {
            const double cosine = std::cos(t * angle_), sine = std::sin(t * angle_);
            const Vector normal = along_ + (cosine * across_ + sine * ahead_);
            const Vector offset = place - (start_ + t * way_);
            const double value = dot(normal, offset);
            if (value == 0) return t;
            ((value > 0) == (behind > 0 || (behind == 0 && before < 0)) ? low : high) = t;
            const double slope = angle_ * dot(cosine * ahead_ - sine * across_, offset) - dot(normal, way_);
            double next = t - value / slope;
            if (!(next > low && next < high)) next = 0.5 * (low + high);
            if (std::abs(next - t) < 1e-12) return next;
            t = next;
        }
        return t;
    }

    // The pixel that lies at `place` at time t.
    void pixel(const Vector& place, double t, double& u, double& v) const {
        const Vector offset = place - (start_ + t * way_);
        const double cosine = std::cos(t * angle_), sine = std::sin(t * angle_);
        const Vector still = dot(axis_, offset) * axis_, turning = offset - still;
        const Vector back = still + (cosine * turning - sine * cross(axis_, turning));
        u = centre_u_ + dot(from_->dual_u, back);
        v = centre_v_ + dot(from_->dual_v, back);
    }

  private:
    const Plane* from_;
    const Plane* to_;
    double centre_u_, centre_v_, angle_ = 0;
    Vector start_{}, way_{}, axis_{};      // mm
    Vector along_{}, across_{}, ahead_{};  // the first frame's normal: along the axis, across it, a quarter on
    bool usable_ = false;
};

bool apart(double a, double b) { return !(a > 0 && b > 0) && !(a < 0 && b < 0); }

// Could the plane pass through a voxel of the box on this way, with that voxel over the image?
template <typename T>
bool passes(const Path& path, const Box& box, const InterpolateOptions& o, const Pixels<T>& pixels) {
    if (!path.usable()) return false;
    const Vector& c = box.centre;
    const double a = path.from().distance(c.x, c.y, c.z), b = path.to().distance(c.x, c.y, c.z);
    const double da = path.from().distance.spread(box.half) * (1 + 1e-9) + 1e-9;
    const double db = path.to().distance.spread(box.half) * (1 + 1e-9) + 1e-9;
    if ((a > da && b > db) || (a < -da && b < -db)) return false;
    const Vector place{c.x * o.spacing[0], c.y * o.spacing[1], c.z * o.spacing[2]};
    const Vector half{box.half.x * o.spacing[0], box.half.y * o.spacing[1], box.half.z * o.spacing[2]};
    return comes_near(path.from(), box, o.reach, path.slide(place) + 2 * length(half), pixels);
}

template <typename T>
Sample interpolated(const Pixels<T>& pixels, std::int64_t first, double u, double v, double t) {
    const Sample a = pixels.bilinear(first, u, v), b = pixels.bilinear(first + 1, u, v);
    const double from_a = (1 - t) * a.weight, from_b = t * b.weight, total = from_a + from_b;
    return total > 0 ? Sample{(from_a * a.value + from_b * b.value) / total, total} : Sample{};
}

// Offers the way from frame i to the next to the voxels of a row; `gaps` holds the narrowest so far.
template <typename T>
void follow(const Pixels<T>& pixels, const Path& path, std::int64_t i, const InterpolateOptions& o, const Row& row,
            double* gaps) {
    const Affine &from = path.from().distance, &to = path.to().distance;
    const double from_row = from.row(row.y, row.z), to_row = to.row(row.y, row.z);
    for (std::int64_t x = row.first; x < row.last; ++x) {
        const auto at = static_cast<double>(x);
        const double behind = from_row + from.x * at, before = to_row + to.x * at;
        if (!apart(behind, before)) continue;
        const double gap = std::abs(behind) + std::abs(before);
        if (!(gap <= o.reach && gap < gaps[x - row.first])) continue;
        const Vector place{at * o.spacing[0], row.y * o.spacing[1], row.z * o.spacing[2]};
        const double t = std::clamp(path.time(place, behind, before), 0.0, 1.0);
        double u, v;
        path.pixel(place, t, u, v);
        if (!pixels.inside(u, v)) continue;
        const Sample s = interpolated(pixels, i, u, v, t);
        if (!(s.weight > 0)) continue;
        gaps[x - row.first] = gap;
        row.set(x, s);
    }
}

// Can no voxel of the row lie between the two planes? Both distances are linear, so its ends tell.
bool misses(const Path& path, const Row& row) {
    const Affine &from = path.from().distance, &to = path.to().distance;
    const auto first = static_cast<double>(row.first), last = static_cast<double>(row.last - 1);
    const double a0 = from(first, row.y, row.z), a1 = from(last, row.y, row.z);
    const double b0 = to(first, row.y, row.z), b1 = to(last, row.y, row.z);
    const double margin = 1e-9 * (1 + std::abs(a0) + std::abs(a1) + std::abs(b0) + std::abs(b1));
    return std::min(std::min(a0, a1), std::min(b0, b1)) > margin ||
           std::max(std::max(a0, a1), std::max(b0, b1)) < -margin;
}

}  // namespace

template <typename T>
bool interpolate_trajectory(const FrameStack& frames, const GridSize& size, const InterpolateOptions& options,
                            float* volume, float* weight, const Progress& progress) {
    const Pixels<T> pixels(frames);
    const std::vector<Plane> planes = planes_of(frames, options.spacing);
    std::vector<Path> paths;
    for (std::size_t i = 0; i + 1 < planes.size(); ++i) paths.emplace_back(planes[i], planes[i + 1], pixels);
    return for_each_row(
        size, static_cast<std::int64_t>(paths.size()), options.threads, volume, weight, progress,
        [&](const Box& box, std::int64_t i) {
            return passes(paths[static_cast<std::size_t>(i)], box, options, pixels);
        },
        [&](const Row& row, const std::vector<std::int64_t>& list, int) {
            double gaps[brick_x];
            for (double& gap : gaps) gap = HUGE_VAL;
            for (const std::int64_t i : list)
                if (const Path& path = paths[static_cast<std::size_t>(i)]; !misses(path, row))
                    follow(pixels, path, i, options, row, gaps);
        });
}

template bool interpolate_trajectory<std::uint8_t>(const FrameStack&, const GridSize&, const InterpolateOptions&,
                                                   float*, float*, const Progress&);
template bool interpolate_trajectory<float>(const FrameStack&, const GridSize&, const InterpolateOptions&, float*,
                                            float*, const Progress&);

}  // namespace usfast::interpolation
