#include "usfast/dispatch.hpp"

#include <cstdlib>
#include <string_view>

#include "../beamform/kernel.hpp"
#include "../compound/scatter.hpp"
#include "../confidence/directed_kernel.hpp"
#include "../confidence/kernel.hpp"
#include "../confidence/volume_kernel.hpp"
#include "../fill/kernel.hpp"
#include "../resample/kernel.hpp"
#include "../simulate/splat.hpp"
#include "../speckle/products.hpp"
#include "../surface/search.hpp"
#include "../tracking/kernel.hpp"

namespace usfast {

namespace {

enum class Level { baseline, v3, v4_vnni };

Level machine_level() {
#ifdef USFAST_HAVE_X86_64_V3
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("x86-64-v3")) return Level::baseline;
#ifdef USFAST_HAVE_X86_64_V4_VNNI
    if (__builtin_cpu_supports("x86-64-v4") && __builtin_cpu_supports("avx512vnni")) return Level::v4_vnni;
#endif
    return Level::v3;
#else
    return Level::baseline;
#endif
}

// USFAST_ISA=baseline or x86-64-v3 holds the kernels back, to compare or to rule a kernel out.
Level chosen_level() {
    const char* wish = std::getenv("USFAST_ISA");
    const Level best = machine_level();
    if (wish && std::string_view(wish) == "baseline") return Level::baseline;
    if (wish && std::string_view(wish) == "x86-64-v3" && best == Level::v4_vnni) return Level::v3;
    return best;
}

const Level level = chosen_level();

}  // namespace

const char* isa() { return level == Level::v4_vnni ? "x86-64-v4-vnni" : level == Level::v3 ? "x86-64-v3" : "baseline"; }

// Every family defines its table, `family_kernels`, in the namespace of each level; `family_table()` is the best.
#ifdef USFAST_HAVE_X86_64_V3
#define USFAST_PICK(Table, family)                                                                          \
    namespace isa_baseline {                                                                                \
    extern const Table family##_kernels;                                                                    \
    }                                                                                                       \
    namespace isa_x86_64_v3 {                                                                               \
    extern const Table family##_kernels;                                                                    \
    }                                                                                                       \
    const Table& family##_table() {                                                                         \
        return level == Level::baseline ? isa_baseline::family##_kernels : isa_x86_64_v3::family##_kernels; \
    }
#else
#define USFAST_PICK(Table, family)       \
    namespace isa_baseline {             \
    extern const Table family##_kernels; \
    }                                    \
    const Table& family##_table() { return isa_baseline::family##_kernels; }
#endif

USFAST_PICK(BeamformTable, beamform)
USFAST_PICK(LatticeTable, lattice)
USFAST_PICK(DirectedTable, directed)
USFAST_PICK(ResampleTable, resample)
USFAST_PICK(SplatTable, splat)
USFAST_PICK(SurfaceTable, surface)
USFAST_PICK(TrackingTable, tracking)

// Those that gain from 512-bit vectors have a copy for the highest level, too.
#ifdef USFAST_HAVE_X86_64_V4_VNNI
#define USFAST_PICK_WIDE(Table, family)                                         \
    namespace isa_baseline {                                                    \
    extern const Table family##_kernels;                                        \
    }                                                                           \
    namespace isa_x86_64_v3 {                                                   \
    extern const Table family##_kernels;                                        \
    }                                                                           \
    namespace isa_x86_64_v4_vnni {                                              \
    extern const Table family##_kernels;                                        \
    }                                                                           \
    const Table& family##_table() {                                             \
        return level == Level::baseline ? isa_baseline::family##_kernels        \
               : level == Level::v3     ? isa_x86_64_v3::family##_kernels       \
                                        : isa_x86_64_v4_vnni::family##_kernels; \
    }
#else
#define USFAST_PICK_WIDE USFAST_PICK
#endif

USFAST_PICK_WIDE(ConfidenceTable, confidence)
USFAST_PICK_WIDE(FillTable, fill)
USFAST_PICK_WIDE(ScatterTable, scatter)

template <>
const ProductTable<std::int32_t>& product_table() {
#ifdef USFAST_HAVE_X86_64_V4_VNNI
    if (level == Level::v4_vnni) return isa_x86_64_v4_vnni::bytes;
#endif
#ifdef USFAST_HAVE_X86_64_V3
    if (level != Level::baseline) return isa_x86_64_v3::words;
#endif
    return isa_baseline::words;
}

template <>
const ProductTable<double>& product_table() {
#ifdef USFAST_HAVE_X86_64_V3
    if (level != Level::baseline) return isa_x86_64_v3::doubles;
#endif
    return isa_baseline::doubles;
}

}  // namespace usfast
