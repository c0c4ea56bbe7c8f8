#include "solver.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "tile.hpp"
#include "usfast/parallel.hpp"

namespace usfast {
namespace {

constexpr std::int64_t pitch = tile_side + 1;
constexpr std::int64_t input_size = planes * tile_rows * tile_columns;

std::int64_t rows_of(const Step& step) {
    return front_round(front_round(step.pivots(), 16) + step.boundary_count + 2, 16);
}

std::int64_t update_rows(const Step& step) { return rows_of(step) - front_round(step.pivots(), 16); }

std::int64_t update_size(const Step& step) { return panels_size(update_rows(step), step.boundary_count); }

// Row of a node in a step's front.
std::int64_t row_of(const Step& step, std::int64_t number) {
    if (number < step.line.base + step.pivots()) return number - step.line.base;
    std::int64_t row = front_round(step.pivots(), 16);
    for (const Interval& i : step.boundary) {
        if (number < i.first + i.count) return row + number - i.first;
        row += i.count;
    }
    return -1;
}

// A column of some panels, to be indexed with their rows.
template <typename T>
T* column_of(T* panel, std::int64_t rows, std::int64_t column) {
    std::int64_t origin = 0;
    for (; origin + panel_width <= column; origin += panel_width) panel += panel_width * front_stride(rows - origin);
    return panel + (column - origin) * front_stride(rows - origin) - origin;
}

// A column of a front, to be indexed with the front's rows.
template <typename T>
T* column_of(const Front<T>& f, std::int64_t column) {
    if (column < f.offset) return column_of(f.factor, f.rows, column);
    return column_of(f.update, f.rows - f.offset, column - f.offset) - f.offset;
}

// Neighbours in a child's boundary that stay neighbours in its parent's front.
struct Run {
    std::int64_t from, to, count;
};

// At most one for each pair of a side of the child and the line or a side of the parent.
struct Runs {
    Run run[4 * 5];
    int count = 0;
};

Runs runs_of(const Step& child, const Step& parent) {
    Runs runs;
    std::int64_t from = 0;
    auto add = [&](const Interval& i, const Interval& j, std::int64_t row) {
        const std::int64_t low = std::max(i.first, j.first);
        const std::int64_t count = std::min(i.first + i.count, j.first + j.count) - low;
        if (count > 0) runs.run[runs.count++] = {from + low - i.first, row + low - j.first, count};
    };
    for (const Interval& i : child.boundary) {
        add(i, {parent.line.base, parent.pivots()}, 0);
        std::int64_t row = front_round(parent.pivots(), 16);
        for (const Interval& j : parent.boundary) {
            add(i, j, row);
            row += j.count;
        }
        from += i.count;
    }
    return runs;
}

template <typename T>
void add_update(const Step& step, const Front<T>& f, const Step& child, const T* update) {
    const Runs runs = runs_of(child, step);
    const std::int64_t rows = update_rows(child), n = child.boundary_count, end = f.offset + f.boundary;
    for (int a = 0; a < runs.count; ++a)
        for (std::int64_t k = 0; k < runs.run[a].count; ++k) {
            const std::int64_t j = runs.run[a].from + k;
            const T* in = column_of(update, rows, j);
            T* out = column_of(f, runs.run[a].to + k);
            for (int b = a; b < runs.count; ++b) {
                const std::int64_t skip = b == a ? k + 1 : 0, count = runs.run[b].count;
                const T* from = in + runs.run[b].from;
                T* to = out + runs.run[b].to;
                for (std::int64_t i = skip; i < count; ++i) to[i] += from[i];
            }
            out[end] += in[n];
            out[end + 1] += in[n + 1];
        }
}

int depth_for(int workers) {
    int depth = 0;
    while (workers > 1 && (1 << depth) < 4 * workers) ++depth;
    return depth;
}

}  // namespace

Memory::Memory(std::int64_t bytes) {
    const auto size = static_cast<std::size_t>(std::max<std::int64_t>(bytes, 1));
    const std::size_t large = std::size_t{2} << 20, unit = size >= 2 * large ? large : 64;
    const std::size_t whole = (size + unit - 1) / unit * unit;
    data_.reset(std::aligned_alloc(unit, whole));
    if (!data_) throw std::bad_alloc();
#ifdef MADV_HUGEPAGE
    if (unit == large) madvise(data_.get(), whole, MADV_HUGEPAGE);  // a wish: it does no harm where it is refused
#endif
}

void Memory::Free::operator()(void* data) const { std::free(data); }

SolverPlan::SolverPlan(std::int64_t height, std::int64_t width, int workers_)
    : dissection(dissect(height, width)), workers(workers_) {
    const Dissection& d = dissection;
    const int split = depth_for(workers);
    kept.assign(d.steps.size(), -1);
    const std::function<void(std::int64_t, int)> visit = [&](std::int64_t node, int depth) {
        if (node < 0 || depth == split) tasks.push_back(node);
        if (node < 0) return;
        const Step& step = d.steps[static_cast<std::size_t>(node)];
        if (depth <= split) {
            kept[static_cast<std::size_t>(node)] = kept_size;
            kept_size += usfast::update_size(step);
        } else {
            update_size.resize(std::max(update_size.size(), static_cast<std::size_t>(depth) + 1));
            auto& largest = update_size[static_cast<std::size_t>(depth)];
            largest = std::max(largest, usfast::update_size(step));
        }
        if (depth < split) {
            upper.resize(std::max(upper.size(), static_cast<std::size_t>(depth) + 1));
            upper[static_cast<std::size_t>(depth)].push_back(node);
        }
        for (const std::int64_t child : step.child) visit(child, depth + 1);
    };
    visit(d.root, 0);
    plane_rows = pitch * (height / pitch + 1) + 1;
    plane_stride = pitch * (width / pitch + 2);
}

template <>
const ConfidenceKernels<double>& confidence_kernels() {
    return confidence_table().in_double;
}
template <>
const ConfidenceKernels<float>& confidence_kernels() {
    return confidence_table().in_single;
}

template <typename T>
typename Solver<T>::Layout Solver<T>::layout_of(const SolverPlan& plan) {
    const std::int64_t lanes = confidence_kernels<T>().lanes, rows = plan.dissection.largest_rows;
    Layout l;
    std::int64_t at = 0;
    auto take = [&at](std::int64_t count) {
        const std::int64_t start = at;
        at += front_round(count, 16);
        return start;
    };
    l.front = take(panel_width * (rows + 16));
    l.values = take(std::max<std::int64_t>(rows, lanes * (tile_inner + tile_ring)));
    l.inputs = take(lanes * input_size);
    l.tile = take(lanes * tile_plan().scratch_size);
    for (const std::int64_t size : plan.update_size) l.update.push_back(take(2 * size));
    l.total = front_round(at, 16);
    return l;
}

template <typename T>
double Solver<T>::bytes(const SolverPlan& plan) {
    const Dissection& d = plan.dissection;
    const auto tiles = static_cast<double>(front_round(static_cast<std::int64_t>(d.tiles.size()), 16));
    const double numbers = tiles * static_cast<double>(tile_plan().factor_size + tile_update) +
                           static_cast<double>(planes * plan.plane_stride * plan.plane_rows + d.factor_size +
                                               d.numbered + plan.kept_size + plan.workers * layout_of(plan).total);
    return numbers * sizeof(T);
}

template <typename T>
std::int64_t Solver<T>::groups() const {
    return front_round(static_cast<std::int64_t>(plan_->dissection.tiles.size()), kernels_.lanes) / kernels_.lanes;
}

template <typename T>
Solver<T>::Solver(std::shared_ptr<const SolverPlan> plan)
    : plan_(std::move(plan)),
      kernels_(confidence_kernels<T>()),
      layout_(layout_of(*plan_)),
      planes_(static_cast<std::int64_t>(sizeof(T)) * planes * plane_size()),
      tile_factors_(static_cast<std::int64_t>(sizeof(T)) * groups() * kernels_.lanes * tile_plan().factor_size),
      tile_updates_(static_cast<std::int64_t>(sizeof(T)) * groups() * kernels_.lanes * tile_update),
      factors_(static_cast<std::int64_t>(sizeof(T)) * plan_->dissection.factor_size),
      lines_(static_cast<std::int64_t>(sizeof(T)) * plan_->dissection.numbered),
      kept_(static_cast<std::int64_t>(sizeof(T)) * plan_->kept_size),
      scratch_(static_cast<std::int64_t>(sizeof(T)) * plan_->workers * layout_.total) {
    // Beyond the image's edge are pixels of value 0.
    std::fill_n(planes_.as<T>(), planes * plane_size(), T{0});
    std::fill_n(planes_.as<T>() + 4 * plane_size(), plane_size(), T{1});
}

template <typename T>
void Solver<T>::forward_tiles(std::int64_t group, T* scratch) {
    const std::int64_t lanes = kernels_.lanes;
    const auto& tiles = plan_->dissection.tiles;
    T* inputs = scratch + layout_.inputs;
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
        const std::size_t t = index(group * lanes + lane);
        T* to = inputs + lane;
        if (t >= tiles.size()) {
            for (std::int64_t i = 0; i < input_size; ++i) to[i * lanes] = i / (tile_rows * tile_columns) == 4 ? 1 : 0;
            continue;
        }
        for (std::int64_t plane = 0; plane < planes; ++plane)
            for (std::int64_t row = 0; row < tile_rows; ++row) {
                const T* from = pixel(tiles[t].row + row - 1, tiles[t].column - 1) + plane * plane_size();
                for (std::int64_t i = 0; i < tile_columns; ++i, to += lanes) *to = from[i];
            }
    }
    kernels_.tile_forward(tile_plan(), inputs, tile_factors_.as<T>() + group * lanes * tile_plan().factor_size,
                          tile_updates_.as<T>() + group * lanes * tile_update, scratch + layout_.tile);
}

template <typename T>
void Solver<T>::backward_tiles(std::int64_t group, T* scratch, T* out, std::int64_t stride) const {
    const std::int64_t lanes = kernels_.lanes;
    const auto& tiles = plan_->dissection.tiles;
    const T* lines = lines_.as<T>();
    T* values = scratch + layout_.values;
    const std::int64_t count = std::min(lanes, static_cast<std::int64_t>(tiles.size()) - group * lanes);
    for (std::int64_t lane = 0; lane < lanes; ++lane)
        for (std::int64_t i = 0; i < tile_ring; ++i) {
            const std::int64_t node = lane < count ? tiles[index(group * lanes + lane)].ring[index(i)] : -1;
            values[(tile_inner + i) * lanes + lane] = node < 0 ? 0 : lines[node];
        }
    kernels_.tile_backward(tile_plan(), tile_factors_.as<T>() + group * lanes * tile_plan().factor_size, values);
    const std::int16_t* pixels = tile_pixels();
    for (std::int64_t lane = 0; lane < count; ++lane) {
        const Tile& tile = tiles[index(group * lanes + lane)];
        for (std::int64_t n = 0; n < tile_inner; ++n) {
            const std::int64_t row = pixels[n] / tile_side, column = pixels[n] % tile_side;
            if (row < tile.rows && column < tile.columns)
                out[(tile.row + row) * stride + tile.column + column] = values[n * lanes + lane];
        }
    }
}

template <typename T>
Front<T> Solver<T>::front_of(const Step& step, T* update) const {
    return {step.pivots(), front_round(step.pivots(), 16), step.boundary_count,
            rows_of(step), factors_.as<T>() + step.factor, update};
}

// Couplings along the line and to the three pixels beyond each of its ends, excess and right-hand side of its pixels.
template <typename T>
void Solver<T>::add_line(const Step& step, const Front<T>& f) const {
    const Line& line = step.line;
    const std::int64_t size = plane_size(), ahead = line.vertical ? 1 : 0;  // plane of the coupling along the line
    const std::int64_t height = plan_->dissection.height, width = plan_->dissection.width;
    const std::int64_t limit = line.vertical ? width : height;
    auto at = [&](std::int64_t along, std::int64_t across) {
        return line.vertical ? pixel(along, line.at + across) : pixel(line.at + across, along);
    };
    for (std::int64_t k = 0; k < step.pivots(); ++k) {
        const T* p = at(line.low + k, 0);
        T* column = column_of(f, k);
        if (k + 1 < step.pivots()) column[k + 1] += p[ahead * size];
        column[f.offset + f.boundary] += p[4 * size];
        column[f.offset + f.boundary + 1] += p[5 * size];
    }
    if (step.pivots() == 0) return;
    for (int end : {0, 1}) {
        if (!step.across[end].there) continue;
        const std::int64_t pivot = end == 0 ? 0 : step.pivots() - 1;
        T* column = column_of(f, pivot);
        for (std::int64_t side : {-1, 0, 1}) {
            if (line.at + side < 0 || line.at + side >= limit) continue;
            const std::int64_t row = row_of(step, step.across[end].number(line.at + side));
            // The coupling lies at the upper of the two pixels, or the left one of a row.
            const std::int64_t along = end == 0 ? line.low : line.high - 1,
                               beyond = end == 0 ? line.low - 1 : line.high;
            T value;
            if (side == 0)
                value = at(std::min(along, beyond), 0)[ahead * size];
            else if (side == (end == 0 ? -1 : 1))
                value = at(std::min(along, beyond), std::min<std::int64_t>(side, 0))[2 * size];
            else if (line.vertical)
                value = end == 0 ? at(beyond, side)[3 * size] : at(along, 0)[3 * size];
            else
                value = end == 0 ? at(along, 0)[3 * size] : at(beyond, side)[3 * size];
            column[row] += value;
        }
    }
}

template <typename T>
void Solver<T>::add_tile(const Step& step, const Front<T>& f, std::int64_t tile) const {
    const std::int64_t lanes = kernels_.lanes;
    const T* in = tile_updates_.as<T>() + tile / lanes * lanes * tile_update + tile % lanes;
    const Tile& t = plan_->dissection.tiles[index(tile)];
    std::int64_t row[tile_ring];
    T* column[tile_ring];
    for (std::int64_t i = 0; i < tile_ring; ++i) {
        const std::int64_t number = t.ring[index(i)];
        row[i] = number < 0 ? -1 : row_of(step, number);
        column[i] = number < 0 ? nullptr : column_of(f, row[i]);
    }
    for (std::int64_t j = 0; j < tile_ring; ++j) {
        if (row[j] < 0) {
            in += (tile_ring - j + 1) * lanes;
            continue;
        }
        for (std::int64_t i = j + 1; i < tile_ring; ++i, in += lanes)
            if (row[i] >= 0) {
                T* to = row[i] > row[j] ? column[j] + row[i] : column[i] + row[j];
                *to += *in;
            }
        for (std::int64_t k : {0, 1}) column[j][f.offset + f.boundary + k] += *in, in += lanes;
    }
}

template <typename T>
void Solver<T>::forward_step(const Step& step, const T* left, const T* right, T* update, T* scratch) {
    const Front<T> f = front_of(step, update);
    std::fill_n(f.factor, panels_size(f.rows, f.pivots), T{0});
    std::fill_n(update, update_size(step), T{0});
    add_line(step, f);
    for (int k : {0, 1}) {
        const std::int64_t child = step.child[k];
        if (child < 0)
            add_tile(step, f, -1 - child);
        else
            add_update(step, f, plan_->dissection.steps[index(child)], k == 0 ? left : right);
    }
    kernels_.front_forward(f, scratch + layout_.front);
}

template <typename T>
void Solver<T>::forward(std::int64_t node, T* update, T* scratch) {
    if (node < 0) return;
    const Step& step = plan_->dissection.steps[index(node)];
    const std::size_t below = index(step.depth + 1);
    T* part[2] = {};
    for (int k : {0, 1}) {
        if (step.child[k] < 0) continue;
        part[k] = scratch + layout_.update[below] + k * plan_->update_size[below];
        forward(step.child[k], part[k], scratch);
    }
    forward_step(step, part[0], part[1], update, scratch);
}

template <typename T>
void Solver<T>::backward_step(const Step& step, T* scratch, T* out, std::int64_t stride) {
    const Front<T> f = front_of(step, nullptr);
    T *values = scratch + layout_.values, *lines = lines_.as<T>();
    std::fill_n(values, f.rows, T{0});
    T* at = values + f.offset;
    for (const Interval& i : step.boundary) at = std::copy_n(lines + i.first, i.count, at);
    values[f.offset + f.boundary + 1] = 1;
    kernels_.front_backward(f, values);
    std::copy_n(values, f.pivots, lines + step.line.base);
    const Line& line = step.line;
    T* to = line.vertical ? out + line.low * stride + line.at : out + line.at * stride + line.low;
    for (std::int64_t k = 0; k < f.pivots; ++k) to[k * (line.vertical ? stride : 1)] = values[k];
}

template <typename T>
void Solver<T>::backward(std::int64_t node, T* scratch, T* out, std::int64_t stride) {
    if (node < 0) return;
    const Step& step = plan_->dissection.steps[index(node)];
    backward_step(step, scratch, out, stride);
    for (const std::int64_t child : step.child) backward(child, scratch, out, stride);
}

template <typename T>
bool Solver<T>::solve(T* out, std::int64_t stride, const std::function<bool()>& go_on) {
    const Dissection& d = plan_->dissection;
    auto each = [&](std::int64_t count, const auto& use) {
        return parallel_for(
            count, plan_->workers,
            [&](std::int64_t i, int worker) { use(i, scratch_.as<T>() + worker * layout_.total); },
            go_on ? Progress([&](std::int64_t, std::int64_t) { return go_on(); }) : Progress{});
    };
    const auto tasks = static_cast<std::int64_t>(plan_->tasks.size());
    if (!each(groups(), [&](std::int64_t i, T* scratch) { forward_tiles(i, scratch); })) return false;
    if (!each(tasks, [&](std::int64_t i, T* scratch) {
            const std::int64_t node = plan_->tasks[index(i)];
            forward(node, kept(node), scratch);
        }))
        return false;
    for (std::size_t depth = plan_->upper.size(); depth-- > 0;) {
        const auto& steps = plan_->upper[depth];
        if (!each(static_cast<std::int64_t>(steps.size()), [&](std::int64_t i, T* scratch) {
                const Step& step = d.steps[index(steps[index(i)])];
                forward_step(step, kept(step.child[0]), kept(step.child[1]), kept(steps[index(i)]), scratch);
            }))
            return false;
    }
    for (const auto& steps : plan_->upper)
        if (!each(static_cast<std::int64_t>(steps.size()), [&](std::int64_t i, T* scratch) {
                backward_step(d.steps[index(steps[index(i)])], scratch, out, stride);
            }))
            return false;
    return each(tasks, [&](std::int64_t i, T* scratch) { backward(plan_->tasks[index(i)], scratch, out, stride); }) &&
           each(groups(), [&](std::int64_t i, T* scratch) { backward_tiles(i, scratch, out, stride); });
}

template class Solver<double>;
template class Solver<float>;

}  // namespace usfast
