#include "bindings.hpp"

void bind_interpolate(py::module_&) {}
