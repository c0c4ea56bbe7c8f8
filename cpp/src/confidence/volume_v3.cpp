// The same loops for x86-64-v3. No header of the standard library with code in it may stand here.
#include "volume_kernel.hpp"

#ifdef USFAST_HAVE_X86_64_V3
#pragma GCC target("arch=x86-64-v3")
#define USFAST_LEVEL isa_x86_64_v3
#include "volume_kernel.inl"
#endif
