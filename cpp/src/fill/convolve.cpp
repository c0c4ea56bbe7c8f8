#include "convolve.hpp"

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "kernel.hpp"

namespace usfast {
namespace {

// A task fills a bar of the grid: whole rows, few of them, many planes. Its planes, convolved along x and y, stay in a
// ring near the core until the planes above have come.
constexpr std::int64_t tile_rows = 16, tile_planes = 64;

std::vector<double> factors(std::int64_t reach, double sigma) {
    std::vector<double> result;
    for (std::int64_t k = -reach; k <= reach; ++k) {
        const auto d = static_cast<double>(k);
        result.push_back(sigma > 0 ? std::exp(-d * d / (2 * sigma * sigma)) : 1.0);
    }
    return result;
}

template <typename Real>
struct Kernels;
template <>
struct Kernels<float> {
    static constexpr auto split = &FillTable::split_float;
    static constexpr auto combine = &FillTable::combine_float;
    static constexpr auto write = &FillTable::write_float;
};
template <>
struct Kernels<double> {
    static constexpr auto split = &FillTable::split_double;
    static constexpr auto combine = &FillTable::combine_double;
    static constexpr auto write = &FillTable::write_double;
};

// (sum, total) rows of one plane; which of them hold anything.
template <typename Real>
struct Plane {
    std::int64_t pitch;
    std::vector<Real> data;
    std::vector<std::uint8_t> used;

    Plane(std::int64_t rows, std::int64_t row_pitch)
        : pitch(row_pitch), data(static_cast<std::size_t>(2 * rows * pitch)), used(static_cast<std::size_t>(rows)) {}
    Real* sums(std::int64_t y) { return data.data() + 2 * y * pitch; }
    Real* totals(std::int64_t y) { return sums(y) + pitch; }
};

template <typename Real>
class Bar {
  public:
    Bar(const GridSize& size, const Window& window, const Bits& known, Bits& holes)
        : size_(size),
          reach_{window.reach[0], window.reach[1], window.reach[2]},
          certainty_(window.certainty),
          known_(known),
          holes_(holes),
          pitch_((size.x + 63) / 64 * 64),
          split_(2, pitch_ + 2 * reach_[0] + 64),
          along_x_(tile_rows + 2 * reach_[1], pitch_),
          result_(1, pitch_) {
        for (std::int64_t k = 0; k <= 2 * reach_[2]; ++k) ring_.emplace_back(tile_rows, pitch_);
        for (int a = 0; a < 3; ++a)
            for (const double f : factors(reach_[a], window.sigma[a])) factor_[a].push_back(static_cast<Real>(f));
        rows_.resize(2 * static_cast<std::size_t>(*std::max_element(reach_, reach_ + 3)) + 1);
    }

    void fill(float* volume, const float* weight, std::uint8_t* filled, std::int64_t y0, std::int64_t z0) {
        const std::int64_t y1 = std::min(y0 + tile_rows, size_.y), z1 = std::min(z0 + tile_planes, size_.z);
        // Planes with holes, and planes needed for them.
        std::int64_t ready = -1;
        for (std::int64_t z = z0; z < z1; ++z) {
            if (!any(holes_, y0, y1, z)) continue;
            for (std::int64_t k = std::max({z - reach_[2], ready + 1, std::int64_t{0}});
                 k <= std::min(z + reach_[2], size_.z - 1); ++k)
                take(volume, weight, y0, y1, k);
            ready = std::min(z + reach_[2], size_.z - 1);
            for (std::int64_t y = y0; y < y1; ++y)
                if (any(holes_, y, y + 1, z)) write(volume, filled, y0, y, z);
        }
    }

  private:
    static bool any(const Bits& bits, std::int64_t y0, std::int64_t y1, std::int64_t z) {
        const std::uint64_t* row = bits.row(y0, z);
        return std::any_of(row, row + (y1 - y0) * bits.words, [](std::uint64_t word) { return word != 0; });
    }

    // Plane z of the bar, convolved along x and y, into the ring.
    void take(const float* volume, const float* weight, std::int64_t y0, std::int64_t y1, std::int64_t z) {
        const std::int64_t low = std::max<std::int64_t>(y0 - reach_[1], 0), high = std::min(y1 + reach_[1], size_.y);
        for (std::int64_t y = low; y < high; ++y) {
            const std::int64_t row = (z * size_.y + y) * size_.x;
            const bool used = any(known_, y, y + 1, z);
            along_x_.used[static_cast<std::size_t>(y - low)] = used;
            if (!used) continue;
            (fill_table().*Kernels<Real>::split)(volume + row, weight + row, size_.x, certainty_,
                                                 split_.sums(0) + reach_[0], split_.totals(0) + reach_[0]);
            combine(0, along_x_.sums(y - low), [&](std::int64_t k) { return split_.sums(0) + k; });
            combine(0, along_x_.totals(y - low), [&](std::int64_t k) { return split_.totals(0) + k; });
        }
        Plane<Real>& plane = ring_[static_cast<std::size_t>(z % (2 * reach_[2] + 1))];
        for (std::int64_t y = y0; y < y1; ++y) {
            auto at = [&](std::int64_t k) {  // row k of the window, where it lies in the grid and holds anything
                const std::int64_t source = y - reach_[1] + k;
                return source >= low && source < high && along_x_.used[static_cast<std::size_t>(source - low)]
                           ? source - low
                           : std::int64_t{-1};
            };
            bool used = false;
            for (std::int64_t k = 0; k <= 2 * reach_[1]; ++k) used |= at(k) >= 0;
            plane.used[static_cast<std::size_t>(y - y0)] = used;
            if (!used) continue;
            combine(1, plane.sums(y - y0), [&](std::int64_t k) { return at(k) < 0 ? nullptr : along_x_.sums(at(k)); });
            combine(1, plane.totals(y - y0),
                    [&](std::int64_t k) { return at(k) < 0 ? nullptr : along_x_.totals(at(k)); });
        }
    }

    void write(float* volume, std::uint8_t* filled, std::int64_t y0, std::int64_t y, std::int64_t z) {
        auto at = [&](std::int64_t k) -> Plane<Real>* {
            const std::int64_t source = z - reach_[2] + k;
            if (source < 0 || source >= size_.z) return nullptr;
            Plane<Real>& plane = ring_[static_cast<std::size_t>(source % (2 * reach_[2] + 1))];
            return plane.used[static_cast<std::size_t>(y - y0)] ? &plane : nullptr;
        };
        combine(2, result_.sums(0), [&](std::int64_t k) { return at(k) ? at(k)->sums(y - y0) : nullptr; });
        combine(2, result_.totals(0), [&](std::int64_t k) { return at(k) ? at(k)->totals(y - y0) : nullptr; });
        const std::int64_t row = (z * size_.y + y) * size_.x;
        std::uint64_t* words = holes_.row(y, z);
        for (std::int64_t x = 0; x < size_.x; x += 64)
            if (std::uint64_t& word = words[x / 64])
                word = (fill_table().*Kernels<Real>::write)(result_.sums(0) + x, result_.totals(0) + x, word,
                                                            static_cast<int>(std::min<std::int64_t>(64, size_.x - x)),
                                                            volume + row + x, filled + row + x);
    }

    template <typename Source>
    void combine(int axis, Real* out, const Source& source) {
        const auto count = static_cast<int>(2 * reach_[axis] + 1);
        for (int k = 0; k < count; ++k) rows_[static_cast<std::size_t>(k)] = source(k);
        (fill_table().*Kernels<Real>::combine)(rows_.data(), factor_[axis].data(), count, size_.x, out);
    }

    GridSize size_;
    std::int64_t reach_[3];
    bool certainty_;
    const Bits& known_;
    Bits& holes_;
    std::int64_t pitch_;
    Plane<Real> split_, along_x_, result_;
    std::vector<Plane<Real>> ring_;
    std::vector<Real> factor_[3];
    std::vector<const Real*> rows_;
};

template <typename Real>
bool convolve_as(float* volume, const float* weight, const GridSize& size, const Window& window, int threads,
                 const Bits& known, Bits& holes, std::uint8_t* filled, const Progress& progress) {
    std::vector<Bar<Real>> bars;
    bars.reserve(static_cast<std::size_t>(threads));
    for (int worker = 0; worker < threads; ++worker) bars.emplace_back(size, window, known, holes);
    const std::int64_t across = (size.y + tile_rows - 1) / tile_rows, along = (size.z + tile_planes - 1) / tile_planes;
    return parallel_for(
        across * along, threads,
        [&](std::int64_t task, int worker) {
            bars[static_cast<std::size_t>(worker)].fill(volume, weight, filled, task % across * tile_rows,
                                                        task / across * tile_planes);
        },
        progress);
}

}  // namespace

bool convolve(float* volume, const float* weight, const GridSize& size, const Window& window, int threads,
              const Bits& known, Bits& holes, std::uint8_t* filled, const Progress& progress) {
    double least = 1;  // smallest factor in the window
    for (int a = 0; a < 3; ++a) least *= factors(window.reach[a], window.sigma[a])[0];
    // Where factors span more than single precision holds well, sums are taken in double.
    return least > 1e-12 ? convolve_as<float>(volume, weight, size, window, threads, known, holes, filled, progress)
                         : convolve_as<double>(volume, weight, size, window, threads, known, holes, filled, progress);
}

}  // namespace usfast
