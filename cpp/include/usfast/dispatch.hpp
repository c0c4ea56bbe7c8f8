// Which instruction set level the kernels run on.
#pragma once

namespace usfast {

const char* isa();  // "baseline" or "x86-64-v3"

}  // namespace usfast
