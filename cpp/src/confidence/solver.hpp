// The multifrontal solver: tiles side by side in the lanes of vectors, then the lines between them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "dissection.hpp"
#include "kernel.hpp"

namespace usfast {

// Memory that holds whatever was in it; large pieces lie on large pages where the system has them.
class Memory {
  public:
    explicit Memory(std::int64_t bytes);
    template <typename T>
    T* as() const {
        return static_cast<T*>(data_.get());
    }

  private:
    struct Free {
        void operator()(void* data) const;
    };
    std::unique_ptr<void, Free> data_;
};

// What an image's size alone determines. Nodes of the dissection are named as in Step::child.
struct SolverPlan {
    SolverPlan(std::int64_t height, std::int64_t width, int workers);

    Dissection dissection;
    std::vector<std::int64_t> tasks;               // roots of the parts that one worker takes at a time
    std::vector<std::vector<std::int64_t>> upper;  // steps above them, by depth
    std::vector<std::int64_t> kept;                // (steps): where the update of a task or an upper step lies
    std::int64_t kept_size = 0;
    std::vector<std::int64_t> update_size;  // (depths): the largest update of a step below the tasks' roots
    std::int64_t plane_stride, plane_rows;  // of the planes, which reach over the image's edge
    int workers;
};

template <typename T>
const ConfidenceKernels<T>& confidence_kernels();

// A system and the memory for its solution, to be used again for systems of the same plan.
template <typename T>
class Solver {
  public:
    explicit Solver(std::shared_ptr<const SolverPlan> plan);
    static double bytes(const SolverPlan& plan);
    const SolverPlan& plan() const { return *plan_; }
    const std::shared_ptr<const SolverPlan>& shared_plan() const { return plan_; }

    // Where pixel (row, column) of plane 0 lies; those of the others are `plane_size` numbers further each. They are to
    // be filled before solve(), and solve() leaves them as they are. A pixel of known value x has no couplings, excess
    // 1 and right-hand side x.
    T* pixel(std::int64_t row, std::int64_t column) const {
        return planes_.as<T>() + (row + 1) * plan_->plane_stride + column + 1;
    }
    std::int64_t plane_size() const { return plan_->plane_stride * plan_->plane_rows; }

    // out: (height, width), rows `stride` apart. Returns false where `go_on` did so.
    bool solve(T* out, std::int64_t stride, const std::function<bool()>& go_on);

  private:
    struct Layout {  // of a worker's scratch, in numbers
        std::int64_t front, values, inputs, tile, updates, total;
        std::vector<std::int64_t> update;  // (depths)
    };
    static Layout layout_of(const SolverPlan& plan);

    void forward_tiles(std::int64_t group, T* scratch);
    void backward_tiles(std::int64_t group, T* scratch, T* out, std::int64_t stride) const;
    void forward(std::int64_t node, T* update, T* scratch);
    void forward_step(const Step& step, const T* left, const T* right, T* update, T* scratch);
    void backward(std::int64_t node, T* scratch, T* out, std::int64_t stride);
    void backward_step(const Step& step, T* scratch, T* out, std::int64_t stride);
    void add_line(const Step& step, const Front<T>& front) const;
    void add_tile(const Step& step, const Front<T>& front, std::int64_t tile) const;
    Front<T> front_of(const Step& step, T* update) const;
    T* kept(std::int64_t node) const { return node < 0 ? nullptr : kept_.as<T>() + plan_->kept[index(node)]; }
    static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
    std::int64_t groups() const;

    std::shared_ptr<const SolverPlan> plan_;
    const ConfidenceKernels<T>& kernels_;
    Layout layout_;
    Memory planes_, tile_factors_, tile_updates_, factors_, lines_, kept_, scratch_;
};

}  // namespace usfast
