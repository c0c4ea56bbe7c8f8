#include "bindings.hpp"

void bind_functions(py::module_&) {}
