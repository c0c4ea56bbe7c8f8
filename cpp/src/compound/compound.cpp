#include "usfast/compound.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <exception>
#include <memory>
#include <vector>

#include "cells.hpp"
#include "scatter.hpp"
#include "tiles.hpp"

namespace usfast {
namespace {

constexpr std::int64_t frames_between_polls = 16;

bool packable(const FrameStack& frames, const CompoundOptions& options) {
    return options.method == Method::nearest && options.mode == Mode::mean && !options.statistics &&
           frames.dtype == Dtype::uint8 && !frames.importance;
}

// How many pixels of a frame can lie nearest to one voxel? Seen along the axis that the frame faces most, the voxel is
// a square, and the pixels in it are grid points of a parallelogram: no more than its area + half its outline + 1.
double hits_bound(const double* m, double pixels) {
    double bound = pixels;
    for (int a = 0; a < 3; ++a) {
        const double *p = m + 4 * a, *q = m + 4 * ((a + 1) % 3);
        const double area = 1 / std::abs(p[0] * q[1] - p[1] * q[0]);
        const double sides = (std::hypot(q[1], q[0]) + std::hypot(p[1], p[0])) * area;
        bound = std::fmin(bound, 1.001 * (area + sides) + 1);
    }
    return bound;
}

// First and last column of each row that the mask leaves in.
std::vector<std::int64_t> used_columns(const FrameStack& frames) {
    std::vector<std::int64_t> columns;
    for (std::int64_t v = 0; frames.mask && v < frames.height; ++v) {
        const std::uint8_t* row = frames.mask + v * frames.width;
        std::int64_t begin = 0, end = frames.width;
        while (begin < end && !row[begin]) ++begin;
        while (begin < end && !row[end - 1]) --end;
        columns.insert(columns.end(), {begin, end});
    }
    return columns;
}

constexpr std::int64_t rows_at_once = 16;  // about a cache line of cells

// Transposes `rows` x `count` cells: those of a row along x lie `stride` apart, those of neighbouring rows side by
// side.
template <typename Cell>
void transpose(const std::byte* from, std::int64_t stride, std::int64_t rows, std::int64_t count, std::byte* to) {
    const auto* source = reinterpret_cast<const Cell*>(from);
    auto* target = reinterpret_cast<Cell*>(to);
    for (std::int64_t x = 0; x < count; ++x)
        for (std::int64_t r = 0; r < rows; ++r) target[r * count + x] = source[x * stride + r];
}

void transpose_cells(const std::byte* from, std::int64_t stride, std::int64_t rows, std::int64_t count,
                     std::int64_t bytes, std::byte* to) {
    if (bytes == 4) return transpose<std::uint32_t>(from, stride, rows, count, to);
    if (bytes == 8) return transpose<std::uint64_t>(from, stride, rows, count, to);
    for (std::int64_t x = 0; x < count; ++x)
        for (std::int64_t r = 0; r < rows; ++r)
            std::memcpy(to + (r * count + x) * bytes, from + (x * stride + r) * bytes, static_cast<std::size_t>(bytes));
}

// Calls write(cells of a row along x, side by side; their number; place of the first in the grid). `buffer` has room
// for `rows_at_once` such rows.
template <typename Write>
void each_row_of_cells(const Slab& slab, const std::int64_t* size, std::int64_t bytes, std::byte* buffer,
                       const Write& write) {
    std::int64_t stride[3], step = 1;
    for (const int a : slab.order) stride[a] = step, step *= extent(slab, a);
    const std::int64_t count = slab.end[0] - slab.begin[0];
    const bool in_place = stride[0] == 1;
    const int inner = slab.order[0] == 2 ? 2 : 1, outer = 3 - inner;  // as the cells lie
    for (std::int64_t o = slab.begin[outer]; o < slab.end[outer]; ++o)
        for (std::int64_t i = slab.begin[inner], rows; i < slab.end[inner]; i += rows) {
            rows = in_place ? 1 : std::min(rows_at_once, slab.end[inner] - i);
            const std::byte* cells = static_cast<const std::byte*>(slab.cells) +
                                     (slab.pad * stride[0] + (i - slab.begin[inner] + slab.pad) * stride[inner] +
                                      (o - slab.begin[outer] + slab.pad) * stride[outer]) *
                                         bytes;
            if (!in_place) {
                transpose_cells(cells, stride[0], rows, count, bytes, buffer);
                cells = buffer;
            }
            for (std::int64_t r = 0; r < rows; ++r, cells += count * bytes) {
                const std::int64_t y = inner == 1 ? i + r : o, z = inner == 1 ? o : i + r;
                write(cells, count, (z * size[1] + y) * size[0] + slab.begin[0]);
            }
        }
}

class Work {
  public:
    Work(const FrameStack& frames, const GridSize& size, const CompoundOptions& options, const CompoundResults& results,
         const Progress& progress)
        : frames_(frames),
          options_(options),
          results_(results),
          progress_(progress),
          bytes_(cell_bytes(options, frames.dtype)),
          packed_(packable(frames, options)),
          tiles_(frames, size, options, packed_ ? packed_bytes : bytes_),
          columns_(used_columns(frames)) {
        if (frames.mask) frames_.columns = columns_.data();
        const double pixels = static_cast<double>(frames.height) * static_cast<double>(frames.width);
        for (std::int64_t n = 0; packed_ && n < frames.used; ++n)
            hits_.push_back(hits_bound(frames.image_to_voxel + 12 * n, pixels));
    }

    int threads() const { return static_cast<int>(std::min<std::int64_t>(options_.threads, tiles_.count())); }

    // Of one worker: a tile, in the wide format too where packed cells may overflow, and a few rows.
    std::int64_t scratch_bytes() const { return (tiles_.cells() + rows_at_once * tiles_.extent[0]) * bytes_; }

    bool run() {
        for (int worker = 0; worker < threads(); ++worker)
            scratch_.push_back(std::make_unique_for_overwrite<std::byte[]>(static_cast<std::size_t>(scratch_bytes())));
        parallel_for(tiles_.count(), threads(), [this](std::int64_t task, int worker) {
            if (stopped_) return;
            const Slab slab = tiles_.slab(task, scratch_[static_cast<std::size_t>(worker)].get());
            if (!(packed_ && add_packed(slab, worker))) add(slab, worker);
            done_.fetch_add(1);
            poll(worker);
        });
        if (thrown_) std::rethrow_exception(thrown_);
        return !stopped_;
    }

  private:
    static constexpr std::int64_t packed_bytes = sizeof(std::uint32_t);

    FrameStack frames_;
    CompoundOptions options_;
    CompoundResults results_;
    const Progress& progress_;
    std::int64_t bytes_;
    bool packed_;
    Tiles tiles_;
    std::vector<std::int64_t> columns_;
    std::vector<double> hits_;
    std::vector<std::unique_ptr<std::byte[]>> scratch_;
    std::atomic<std::int64_t> done_{0};
    std::atomic<bool> stopped_{false};
    std::exception_ptr thrown_;

    // The calling thread asks now and then whether to go on: a tile that all frames cross may take long.
    void poll(int worker) {
        if (worker != 0 || !progress_ || stopped_) return;
        try {
            if (!progress_(done_.load(), tiles_.count())) stopped_ = true;
        } catch (...) {
            thrown_ = std::current_exception();
            stopped_ = true;
        }
    }

    // Calls scatter(frames, first) for a few frames after the other while it returns true.
    template <typename Scatter>
    bool in_parts(int worker, const Scatter& scatter) {
        FrameStack part = frames_;
        for (std::int64_t n = 0; n < frames_.used && !stopped_; n += part.used) {
            part.used = std::min(frames_.used - n, frames_between_polls);
            part.index = frames_.index + n;
            part.image_to_voxel = frames_.image_to_voxel + 12 * n;
            if (!scatter(part, n)) return false;
            if (n + part.used < frames_.used) poll(worker);
        }
        return true;
    }

    std::byte* buffer(const Slab& slab) const { return static_cast<std::byte*>(slab.cells) + tiles_.cells() * bytes_; }

    void clear(const Slab& slab, std::int64_t bytes) const {
        const std::int64_t cells = extent(slab, 0) * extent(slab, 1) * extent(slab, 2);
        std::memset(slab.cells, 0, static_cast<std::size_t>(cells * bytes));
    }

    // False where the cells might overflow.
    bool add_packed(const Slab& slab, int worker) {
        clear(slab, packed_bytes);
        double most = 0;
        const bool fits = in_parts(worker, [&](const FrameStack& part, std::int64_t n) {
            return scatter_table().scatter_packed(part, hits_.data() + n, slab, most);
        });
        if (!fits) return false;
        if (stopped_) return true;
        each_row_of_cells(slab, tiles_.size, packed_bytes, buffer(slab),
                          [&](const std::byte* cells, std::int64_t count, std::int64_t to) {
                              write_packed(reinterpret_cast<const std::uint32_t*>(cells), count,
                                           static_cast<float*>(results_.volume) + to, weight_at(to));
                          });
        return true;
    }

    void add(const Slab& slab, int worker) {
        clear(slab, bytes_);
        in_parts(worker, [&](const FrameStack& part, std::int64_t) {
            scatter_table().scatter(part, options_, slab);
            return true;
        });
        if (stopped_) return;
        const auto value =
            static_cast<std::int64_t>(options_.mode == Mode::vote ? sizeof(std::uint8_t) : sizeof(float));
        each_row_of_cells(slab, tiles_.size, bytes_, buffer(slab),
                          [&](const std::byte* cells, std::int64_t count, std::int64_t to) {
                              write_cells(cells, count, options_, frames_.dtype,
                                          static_cast<std::byte*>(results_.volume) + to * value, weight_at(to));
                              if (options_.statistics)
                                  write_statistics(reinterpret_cast<const double*>(cells), count,
                                                   results_.variance + to, results_.hits + to);
                          });
    }

    float* weight_at(std::int64_t at) const { return results_.weight ? results_.weight + at : nullptr; }
};

}  // namespace

bool compound(const FrameStack& frames, const GridSize& size, const CompoundOptions& options,
              const CompoundResults& results, const Progress& progress) {
    return Work(frames, size, options, results, progress).run();
}

std::int64_t compound_scratch(const FrameStack& frames, const GridSize& size, const CompoundOptions& options) {
    const Work work(frames, size, options, {}, {});
    return work.threads() * work.scratch_bytes();
}

}  // namespace usfast
