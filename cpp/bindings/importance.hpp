// Weights of pixels that the frames bring along.
#pragma once

#include "bindings.hpp"
#include "usfast/compound.hpp"

// (N or 1, H or 1, W or 1): an axis of length one serves all.
inline void set_importance(usfast::FrameStack& stack, const Array<float>& importance, py::ssize_t count) {
    const py::ssize_t full[3] = {count, stack.height, stack.width};
    std::int64_t stride = 1;
    require(importance.ndim() == 3, "importance must have three axes");
    for (int a = 2; a >= 0; --a) {
        require(importance.shape(a) == full[a] || importance.shape(a) == 1, "importance does not fit the frames");
        stack.importance_stride[a] = importance.shape(a) == 1 ? 0 : stride;
        stride *= importance.shape(a);
    }
    stack.importance = importance.data();
}
