#include "bindings.hpp"

void bind_confidence_volume(py::module_&) {}
