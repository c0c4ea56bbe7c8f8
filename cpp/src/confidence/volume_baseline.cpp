#include "volume_kernel.hpp"

#define USFAST_LEVEL isa_baseline
#include "volume_kernel.inl"
