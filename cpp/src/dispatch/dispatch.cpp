#include "usfast/dispatch.hpp"

#include <cstdlib>
#include <string_view>

#include "../compound/scatter.hpp"

namespace usfast {

namespace isa_baseline {
extern const ScatterTable table;
}
#ifdef USFAST_HAVE_X86_64_V3
namespace isa_x86_64_v3 {
extern const ScatterTable table;
}
#endif

namespace {

// USFAST_ISA=baseline holds the kernels back, to compare or to rule a kernel out.
bool use_v3() {
#ifdef USFAST_HAVE_X86_64_V3
    const char* wish = std::getenv("USFAST_ISA");
    __builtin_cpu_init();
    return !(wish && std::string_view(wish) == "baseline") && __builtin_cpu_supports("x86-64-v3");
#else
    return false;
#endif
}

const bool v3 = use_v3();

}  // namespace

const char* isa() { return v3 ? "x86-64-v3" : "baseline"; }

const ScatterTable& scatter_table() {
#ifdef USFAST_HAVE_X86_64_V3
    if (v3) return isa_x86_64_v3::table;
#endif
    return isa_baseline::table;
}

}  // namespace usfast
