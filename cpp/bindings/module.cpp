#include <Eigen/Core>

#include "bindings.hpp"
#include "usfast/dispatch.hpp"

#define USFAST_TEXT_OF(x) #x
#define USFAST_TEXT(x) USFAST_TEXT_OF(x)

static py::dict config() {
    py::dict facts;
    facts["version"] = USFAST_VERSION;
    facts["compiler"] = __VERSION__;
    facts["isa"] = usfast::isa();
    facts["eigen"] =
        USFAST_TEXT(EIGEN_WORLD_VERSION) "." USFAST_TEXT(EIGEN_MAJOR_VERSION) "." USFAST_TEXT(EIGEN_MINOR_VERSION);
    return facts;
}

PYBIND11_MODULE(_core, module) {
    module.doc() = "Kernels of usfast. Use the Python layer: it checks what these functions take for granted.";
    module.def("config", &config);
    bind_compound(module);
    bind_fill(module);
    bind_plus(module);
    bind_resample(module);
    bind_surface(module);
    bind_simulate(module);
    bind_beamform(module);
    bind_speckle(module);
    bind_tracking(module);
    bind_confidence(module);
    bind_interpolate(module);
    bind_functions(module);
    bind_bricks(module);
    bind_refine(module);
    bind_confidence_volume(module);
    bind_labels(module);
    bind_seeds(module);
}
