#include "bindings.hpp"

void bind_bricks(py::module_&) {}
