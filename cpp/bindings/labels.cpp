#include "bindings.hpp"

void bind_labels(py::module_&) {}
