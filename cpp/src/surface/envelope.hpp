// The exact Euclidean distance transform, a strip of columns at a time.
// Felzenszwalb and Huttenlocher, Distance transforms of sampled functions, Theory of Computing 2012.
#pragma once

#include "bits.hpp"

namespace usfast {

constexpr std::int64_t kStrip = 16;  // voxels along x that a strip holds: it must divide 64
constexpr double kFar = 1e300;       // where no bit is

// One pass along a line: value[i] = min over j of value[j] + (step (i - j))^2. `site`, where it is not null, holds
// what stands for the minimum at each place and follows it. `stride` is that of both.
class Envelope {
  public:
    explicit Envelope(std::int64_t longest)
        : place_(static_cast<std::size_t>(longest)),
          height_(place_.size()),
          from_(place_.size() + 1),
          site_(place_.size()) {}
    void apply(double* value, std::int64_t count, std::int64_t stride, double step, std::int64_t* site = nullptr);

  private:
    std::vector<std::int64_t> place_;  // of the parabolas in the envelope
    std::vector<double> height_;
    std::vector<double> from_;  // where each begins to be the lowest
    std::vector<std::int64_t> site_;
};

// Squares of the distance to the nearest bit in the same plane, for the strip of columns from x0: (nz, ny, kStrip).
// `site`, where it is not null: that bit's index in the volume.
void plane_distances(const BitVolume& bits, std::int64_t x0, const std::array<double, 3>& spacing, Envelope& envelope,
                     double* squared, std::int64_t* site = nullptr);

}  // namespace usfast
