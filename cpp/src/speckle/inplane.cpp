// Where does a patch of one frame lie in another? Correlation at every whole displacement, exact; then the vertex of
// the quadric through the best one and its neighbours. The columns of the search area are packed anew for each
// horizontal displacement: then every vertical one is a run of the packed pixels, and the kernel that multiplies
// patches does the rest.
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "products.hpp"
#include "usfast/speckle.hpp"

namespace usfast {
namespace {

constexpr std::int64_t patches_a_task = 16;
constexpr double nothing = std::numeric_limits<double>::quiet_NaN();

// Displacements from (u0, v0), as many as `across` x `down`, that keep the patch inside the frame.
struct Area {
    std::int64_t u0, v0, across, down;
};

struct Best {
    std::int64_t u = -1, v = -1;  // in the area
    double r = -2;
};

double scale_of(double count, double sum, double squares) {
    const double variance = count * squares - sum * sum;
    return variance > 0 ? 1 / std::sqrt(variance) : nothing;
}

// Sums of all pixels above and to the left, and of their squares.
class Integral {
  public:
    void make(const std::uint8_t* image, std::int64_t stride, std::int64_t rows, std::int64_t columns) {
        width_ = columns + 1;
        sum_.assign(static_cast<std::size_t>((rows + 1) * width_), 0);
        squares_ = sum_;
        for (std::int64_t r = 0; r < rows; ++r) {
            std::int64_t sum = 0, squares = 0;
            for (std::int64_t c = 0; c < columns; ++c) {
                const std::int64_t value = image[r * stride + c];
                sum += value, squares += value * value;
                const auto at = static_cast<std::size_t>((r + 1) * width_ + c + 1);
                sum_[at] = sum_[at - static_cast<std::size_t>(width_)] + sum;
                squares_[at] = squares_[at - static_cast<std::size_t>(width_)] + squares;
            }
        }
    }
    Moments of(std::int64_t r, std::int64_t c, std::int64_t rows, std::int64_t columns) const {
        return {static_cast<double>(inside(sum_, r, c, rows, columns)),
                static_cast<double>(inside(squares_, r, c, rows, columns))};
    }

  private:
    std::int64_t inside(const std::vector<std::int64_t>& table, std::int64_t r, std::int64_t c, std::int64_t rows,
                        std::int64_t columns) const {
        const auto at = static_cast<std::size_t>(r * width_ + c), below = static_cast<std::size_t>(rows * width_);
        const auto beside = static_cast<std::size_t>(columns);
        return table[at + below + beside] - table[at + below] - table[at + beside] + table[at];
    }
    std::int64_t width_ = 0;
    std::vector<std::int64_t> sum_, squares_;
};

// Vertex of the least-squares quadric through 3 x 3 values, relative to the middle one; zero where it has no maximum
// within a pixel.
void vertex(const double (&f)[3][3], double& u, double& v) {
    double all = 0, fu = 0, fv = 0, fuu = 0, fvv = 0, fuv = 0;
    for (int y = -1; y <= 1; ++y)
        for (int x = -1; x <= 1; ++x) {
            const double value = f[y + 1][x + 1];
            all += value;
            fu += x * value, fv += y * value;
            fuu += x * x * value, fvv += y * y * value, fuv += x * y * value;
        }
    const double bu = fu / 6, bv = fv / 6, auu = fuu - all * 2 / 3, avv = fvv - all * 2 / 3, auv = fuv / 4;
    const double det = auu * avv - auv * auv;
    u = v = 0;
    if (!(det > 0 && auu < 0)) return;
    const double x = (auv * bv - avv * bu) / det, y = (auv * bu - auu * bv) / det;
    if (std::abs(x) <= 1 && std::abs(y) <= 1) u = x, v = y;
}

class Tracker {
  public:
    Tracker(const Frames<std::uint8_t>& frames, const Patches& patches, std::int64_t search)
        : frames_(frames),
          patches_(patches),
          search_(search),
          pixels_(patches.rows * patches.columns),
          length_((pixels_ + patch_unit - 1) / patch_unit * patch_unit),
          table_(product_table<std::int32_t>()),
          packed_(static_cast<std::size_t>(length_ * table_.pixel_bytes)),
          strip_(static_cast<std::size_t>((2 * search * patches.columns + length_) * table_.pixel_bytes)),
          rights_(static_cast<std::size_t>(2 * search + 1)),
          products_(rights_.size()),
          r_(rights_.size() * rights_.size()) {}

    void track(std::int64_t from, std::int64_t to, std::int64_t p, const PatchMotion& motion, std::int64_t at) {
        const std::int64_t row = patches_.corners[2 * p], column = patches_.corners[2 * p + 1];
        const Area area{-std::min(search_, column), -std::min(search_, row),
                        std::min(search_, frames_.width - patches_.columns - column) + std::min(search_, column) + 1,
                        std::min(search_, frames_.height - patches_.rows - row) + std::min(search_, row) + 1};
        correlate(pixel(from, row, column), pixel(to, row + area.v0, column + area.u0), area);
        const Best best = largest(area);
        const bool found = best.u >= 0;
        const bool rim = found && (best.u == 0 || best.v == 0 || best.u == area.across - 1 || best.v == area.down - 1);
        double u = nothing, v = nothing;
        if (found && !rim) {
            double around[3][3];
            for (std::int64_t y = 0; y < 3; ++y)
                for (std::int64_t x = 0; x < 3; ++x) around[y][x] = r(area, best.u + x - 1, best.v + y - 1);
            vertex(around, u, v);
            u += static_cast<double>(area.u0 + best.u), v += static_cast<double>(area.v0 + best.v);
        }
        motion.shift[2 * at] = static_cast<float>(u), motion.shift[2 * at + 1] = static_cast<float>(v);
        motion.correlation[at] = static_cast<float>(found ? best.r : nothing);
        motion.rim[at] = rim;
    }

  private:
    const std::uint8_t* pixel(std::int64_t frame, std::int64_t row, std::int64_t column) const {
        return frames_.pixels + (frame * frames_.height + row) * frames_.width + column;
    }
    double& r(const Area& area, std::int64_t u, std::int64_t v) {
        return r_[static_cast<std::size_t>(v * area.across + u)];
    }

    // r at every displacement of the area, whose first pixel is `target`.
    void correlate(const std::uint8_t* source, const std::uint8_t* target, const Area& area) {
        const void* image = source;
        void* out = packed_.data();
        table_.pack(&image, 1, frames_.width, patches_.rows, patches_.columns, &out, length_,
                    static_cast<std::uint8_t>(table_.offset));
        const auto count = static_cast<double>(pixels_);
        integral_.make(source, frames_.width, patches_.rows, patches_.columns);
        const Moments a = integral_.of(0, 0, patches_.rows, patches_.columns);
        const double left = a.sum - count * static_cast<double>(table_.offset);
        const double scale = scale_of(count, a.sum, a.squares);
        integral_.make(target, frames_.width, patches_.rows + area.down - 1, patches_.columns + area.across - 1);
        for (std::int64_t u = 0; u < area.across; ++u) {
            multiply(target + u, area.down);
            for (std::int64_t v = 0; v < area.down; ++v) {
                const Moments b = integral_.of(v, u, patches_.rows, patches_.columns);
                const double product = products_[static_cast<std::size_t>(v)];
                r(area, u, v) = (count * product - left * b.sum) * scale * scale_of(count, b.sum, b.squares);
            }
        }
    }

    void multiply(const std::uint8_t* target, std::int64_t down) {
        const void *image = target, *left = packed_.data();
        void* out = strip_.data();
        table_.pack(&image, 1, frames_.width, patches_.rows + down - 1, patches_.columns, &out,
                    (down - 1) * patches_.columns + length_, 0);
        for (std::int64_t v = 0; v < down; ++v)
            rights_[static_cast<std::size_t>(v)] = strip_.data() + v * patches_.columns * table_.pixel_bytes;
        table_.products(&left, 1, rights_.data(), static_cast<int>(down), length_, products_.data());
    }

    Best largest(const Area& area) {
        Best best;
        for (std::int64_t v = 0; v < area.down; ++v)
            for (std::int64_t u = 0; u < area.across; ++u)
                if (r(area, u, v) > best.r) best = {u, v, r(area, u, v)};
        return best;
    }

    Frames<std::uint8_t> frames_;
    Patches patches_;
    std::int64_t search_, pixels_, length_;
    const ProductTable<std::int32_t>& table_;
    std::vector<char> packed_, strip_;
    std::vector<const void*> rights_;
    std::vector<std::int32_t> products_;
    std::vector<double> r_;
    Integral integral_;
};

}  // namespace

bool track_patches(const Frames<std::uint8_t>& frames, const Patches& patches, const std::int64_t* pairs,
                   std::int64_t pair_count, std::int64_t search, int threads, const PatchMotion& motion,
                   const Progress& progress) {
    const std::int64_t parts = (patches.count + patches_a_task - 1) / patches_a_task;
    const std::int64_t tasks = pair_count * parts;
    std::vector<Tracker> trackers(static_cast<std::size_t>(std::min<std::int64_t>(threads, tasks)),
                                  Tracker(frames, patches, search));
    return parallel_for(
        tasks, threads,
        [&](std::int64_t task, int worker) {
            const std::int64_t k = task / parts, first = task % parts * patches_a_task;
            for (std::int64_t p = first; p < std::min(first + patches_a_task, patches.count); ++p)
                trackers[static_cast<std::size_t>(worker)].track(pairs[2 * k], pairs[2 * k + 1], p, motion,
                                                                 k * patches.count + p);
        },
        progress);
}

}  // namespace usfast
