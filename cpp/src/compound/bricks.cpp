#include "usfast/bricks.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>
#include <stdexcept>
#include <vector>

#include "cells.hpp"
#include "cutter.hpp"
#include "scatter.hpp"

namespace usfast {
namespace {

constexpr std::int64_t brick_bytes = std::int64_t{1} << 20;
constexpr std::int64_t spare_cells = 16;  // kernels may touch a few cells past the last row

// Small bricks fit what was touched more tightly, but neighbours share the pixels at their faces.
std::int64_t brick_side(std::int64_t cell) {
    std::int64_t side = 32;
    while (side > 4 && side * side * side * cell > brick_bytes) side /= 2;
    return side;
}

Box nothing() {
    constexpr std::int64_t far = std::numeric_limits<std::int64_t>::max();
    return {{far, far, far}, {-far, -far, -far}};
}

void unite(Box& box, const Box& other) {
    for (std::size_t a = 0; a < 3; ++a) {
        box.begin[a] = std::min(box.begin[a], other.begin[a]);
        box.end[a] = std::max(box.end[a], other.end[a]);
    }
}

Box intersection(const Box& one, const Box& other) {
    Box box = one;
    for (std::size_t a = 0; a < 3; ++a) {
        box.begin[a] = std::max(one.begin[a], other.begin[a]);
        box.end[a] = std::min(one.end[a], other.end[a]);
    }
    return box;
}

std::int64_t length(const Box& box, std::size_t axis) { return box.end[axis] - box.begin[axis]; }

std::int64_t voxels(const Box& box) { return length(box, 0) * length(box, 1) * length(box, 2); }

// Cells laid out x fastest: `size` of the whole, `offset` of a box in it.
struct Layout {
    std::byte* cells;
    std::int64_t row, layer;  // bytes
};

Layout layout(std::byte* cells, const Box& whole, const Box& part, std::int64_t pad, std::int64_t cell) {
    const std::int64_t row = (length(whole, 0) + 2 * pad) * cell, layer = row * (length(whole, 1) + 2 * pad);
    return {cells + (part.begin[2] - whole.begin[2] + pad) * layer + (part.begin[1] - whole.begin[1] + pad) * row +
                (part.begin[0] - whole.begin[0] + pad) * cell,
            row, layer};
}

void copy(const Box& part, std::int64_t cell, const Layout& from, const Layout& to) {
    for (std::int64_t z = 0; z < length(part, 2); ++z)
        for (std::int64_t y = 0; y < length(part, 1); ++y)
            std::memcpy(to.cells + z * to.layer + y * to.row, from.cells + z * from.layer + y * from.row,
                        static_cast<std::size_t>(length(part, 0) * cell));
}

bool all_zero(const std::byte* bytes, std::int64_t count) {
    return count == 0 ||
           (bytes[0] == std::byte{0} && std::memcmp(bytes, bytes + 1, static_cast<std::size_t>(count - 1)) == 0);
}

// Columns and rows [u0, u1] x [v0, v1] that hold every pixel of the mask; false where there is none.
bool used_pixels(const FrameStack& frames, double& u0, double& u1, double& v0, double& v1) {
    std::int64_t left = frames.width, right = -1, top = frames.height, bottom = -1;
    if (!frames.mask) left = top = 0, right = frames.width - 1, bottom = frames.height - 1;
    for (std::int64_t v = 0; frames.mask && v < frames.height; ++v)
        for (std::int64_t u = 0; u < frames.width; ++u)
            if (frames.mask[v * frames.width + u]) {
                left = std::min(left, u), right = std::max(right, u);
                top = std::min(top, v), bottom = v;
            }
    u0 = static_cast<double>(left), u1 = static_cast<double>(right);
    v0 = static_cast<double>(top), v1 = static_cast<double>(bottom);
    return right >= 0;
}

}  // namespace

// One frame in one brick, and the brick's voxels that its pixels can reach there.
struct Bricks::Crossing {
    Key key;
    std::int64_t frame;
    Box box;
};

// All crossings of one brick in one call: those of `crossings` from `first` on.
struct Bricks::Group {
    Key key;
    std::int64_t first, count;
    Box box;
    std::byte* cells;
    bool is_new;
    Cells fresh, before;
    mutable bool stays_empty;
};

void Bricks::Release::operator()(std::byte* cells) const { std::free(cells); }

// Zeros that cost memory only once they are written.
Bricks::Cells Bricks::allocate(std::int64_t bytes) {
    Cells cells(static_cast<std::byte*>(std::calloc(static_cast<std::size_t>(bytes), 1)));
    if (!cells) throw std::bad_alloc();
    return cells;
}

Bricks::Bricks(const Box& domain, const CompoundOptions& options, Dtype dtype)
    : domain_(domain),
      options_(options),
      dtype_(dtype),
      cell_(cell_bytes(options, dtype)),
      side_(brick_side(cell_)),
      pad_(options.method == Method::linear     ? 1
           : options.method == Method::gaussian ? 2 * options.radius
                                                : 0),
      reach_(options.method == Method::linear     ? 1.0
             : options.method == Method::gaussian ? options.radius + 0.5
                                                  : 0.5),
      touched_(nothing()) {
    if (domain.empty()) throw std::invalid_argument("the domain of the bricks is empty");
}

Box Bricks::box_of(const Key& key) const {
    Box box;
    for (std::size_t a = 0; a < 3; ++a) {
        box.begin[a] = domain_.begin[a] + key[2 - a] * side_;
        box.end[a] = std::min(box.begin[a] + side_, domain_.end[a]);
    }
    return box;
}

std::int64_t Bricks::scratch_cells(const Box& box) const {
    return (length(box, 0) + 2 * pad_) * (length(box, 1) + 2 * pad_) * (length(box, 2) + 2 * pad_) + spare_cells;
}

std::int64_t Bricks::scratch_bytes() const { return scratch_cells({{0, 0, 0}, {side_, side_, side_}}) * cell_; }

std::int64_t Bricks::bytes() const {
    std::int64_t sum = 0;
    for (const auto& [key, cells] : bricks_) sum += voxels(box_of(key)) * cell_;
    return sum;
}

Box Bricks::touched() const { return touched_.empty() ? Box{{0, 0, 0}, {0, 0, 0}} : touched_; }

void Bricks::clear() {
    bricks_.clear();
    touched_ = nothing();
}

// Loads the cells within reach, adds the frames that cross the brick in their order, stores the cells.
void Bricks::run(const FrameStack& frames, const Group& group, const Crossing* crossings, std::byte* scratch,
                 std::int64_t* index, double* matrices) const {
    for (std::int64_t i = 0; i < group.count; ++i) {
        const std::int64_t n = crossings[group.first + i].frame;
        index[i] = frames.index[n];
        std::copy_n(frames.image_to_voxel + 12 * n, 12, matrices + 12 * i);
    }
    FrameStack crossing = frames;
    crossing.used = group.count, crossing.index = index, crossing.image_to_voxel = matrices;

    std::memset(scratch, 0, static_cast<std::size_t>(scratch_cells(group.box) * cell_));
    const Layout kept = layout(group.cells, box_of(group.key), group.box, 0, cell_);
    const Layout padded = layout(scratch, group.box, group.box, pad_, cell_);
    if (!group.is_new) copy(group.box, cell_, kept, padded);
    if (group.before) copy(group.box, cell_, kept, layout(group.before.get(), group.box, group.box, 0, cell_));
    Slab slab{{}, {}, pad_, scratch};
    std::copy_n(group.box.begin.begin(), 3, slab.begin);
    std::copy_n(group.box.end.begin(), 3, slab.end);
    scatter_table().scatter(crossing, options_, slab);
    copy(group.box, cell_, padded, kept);
    group.stays_empty = group.is_new && all_zero(group.cells, voxels(box_of(group.key)) * cell_);
}

bool Bricks::add(const FrameStack& frames, int threads, bool undo, const Progress& progress) {
    double u0, u1, v0, v1;
    if (!used_pixels(frames, u0, u1, v0, v1)) return true;

    std::vector<Crossing> crossings;
    for (std::int64_t n = 0; n < frames.used; ++n) {
        const auto found = [&](const std::array<std::int32_t, 3>& brick, const Box& box) {
            crossings.push_back({{brick[2], brick[1], brick[0]}, n, box});
        };
        cut_frame(frames.image_to_voxel + 12 * n, u0, u1, v0, v1, domain_, side_, reach_, found);
    }
    std::stable_sort(crossings.begin(), crossings.end(),
                     [](const Crossing& one, const Crossing& other) { return one.key < other.key; });

    std::vector<Group> groups;
    std::int64_t most = 0;
    for (std::size_t i = 0; i < crossings.size(); ++i) {
        const Crossing& crossing = crossings[i];
        if (groups.empty() || groups.back().key != crossing.key)
            groups.push_back({crossing.key, static_cast<std::int64_t>(i), 0, nothing(), nullptr, false, {}, {}, false});
        unite(groups.back().box, crossing.box);
        most = std::max(most, ++groups.back().count);
    }
    // All memory is taken here: workers must not fail.
    for (Group& group : groups) {
        const auto known = bricks_.find(group.key);
        group.is_new = known == bricks_.end();
        if (group.is_new) group.fresh = allocate(voxels(box_of(group.key)) * cell_);
        group.cells = group.is_new ? group.fresh.get() : known->second.get();
        if (undo && !group.is_new) group.before = allocate(voxels(group.box) * cell_);
    }
    const auto tasks = static_cast<std::int64_t>(groups.size());
    const auto workers = static_cast<std::size_t>(std::clamp<std::int64_t>(tasks, 1, threads));
    std::vector<Cells> scratch;
    for (std::size_t w = 0; w < workers; ++w) scratch.push_back(allocate(scratch_bytes()));
    std::vector<std::vector<std::int64_t>> index(workers, std::vector<std::int64_t>(static_cast<std::size_t>(most)));
    std::vector<std::vector<double>> matrices(workers, std::vector<double>(static_cast<std::size_t>(12 * most)));
    std::vector<char> begun(groups.size());

    const auto restore = [&] {
        for (std::size_t i = 0; i < groups.size(); ++i)
            if (begun[i] && groups[i].before)
                copy(groups[i].box, cell_, layout(groups[i].before.get(), groups[i].box, groups[i].box, 0, cell_),
                     layout(groups[i].cells, box_of(groups[i].key), groups[i].box, 0, cell_));
    };
    try {
        const bool finished = parallel_for(
            tasks, static_cast<int>(workers),
            [&](std::int64_t task, int worker) {
                const auto w = static_cast<std::size_t>(worker), i = static_cast<std::size_t>(task);
                begun[i] = 1;
                run(frames, groups[i], crossings.data(), scratch[w].get(), index[w].data(), matrices[w].data());
            },
            progress);
        if (!finished) {
            restore();
            return false;
        }
    } catch (...) {
        restore();
        throw;
    }
    for (Group& group : groups) {
        if (group.stays_empty) continue;
        unite(touched_, group.box);
        if (group.is_new) bricks_.emplace(group.key, std::move(group.fresh));
    }
    return true;
}

bool Bricks::write(const Box& box, void* volume, float* weight, int threads, const Progress& progress) const {
    struct Part {
        Box brick, part;
        std::byte* cells;
    };
    std::vector<Part> parts;
    for (const auto& [key, cells] : bricks_) {
        const Box brick = box_of(key), part = intersection(brick, box);
        if (!part.empty()) parts.push_back({brick, part, cells.get()});
    }
    const std::int64_t row = length(box, 0), layer = row * length(box, 1);
    const auto value = static_cast<std::int64_t>(options_.mode == Mode::vote ? sizeof(std::uint8_t) : sizeof(float));
    return parallel_for(
        static_cast<std::int64_t>(parts.size()), threads,
        [&](std::int64_t task, int) {
            const auto& [brick, part, cells] = parts[static_cast<std::size_t>(task)];
            const Layout from = layout(cells, brick, part, 0, cell_);
            const std::int64_t first = (part.begin[2] - box.begin[2]) * layer + (part.begin[1] - box.begin[1]) * row +
                                       part.begin[0] - box.begin[0];
            for (std::int64_t z = 0; z < length(part, 2); ++z)
                for (std::int64_t y = 0; y < length(part, 1); ++y) {
                    const std::int64_t to = first + z * layer + y * row;
                    write_cells(from.cells + z * from.layer + y * from.row, length(part, 0), options_, dtype_,
                                static_cast<std::byte*>(volume) + to * value, weight + to);
                }
        },
        progress);
}

}  // namespace usfast
