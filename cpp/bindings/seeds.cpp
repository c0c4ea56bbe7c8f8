#include "bindings.hpp"

void bind_seeds(py::module_&) {}
