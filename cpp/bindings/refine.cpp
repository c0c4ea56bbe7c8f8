#include "bindings.hpp"

void bind_refine(py::module_&) {}
