// Which instruction set level the kernels run on.
#pragma once

namespace usfast {

// "baseline", "x86-64-v3" or "x86-64-v4-vnni". On the last one, only kernels of compounding and those that multiply
// bytes have code of their own; the others run that of x86-64-v3.
const char* isa();

}  // namespace usfast
