// For files that are compiled once for each instruction set level: the namespace that holds this level's kernels.
#pragma once

#define USFAST_JOIN_NAMES(a, b) a##b
#define USFAST_JOIN(a, b) USFAST_JOIN_NAMES(a, b)
#define USFAST_LEVEL USFAST_JOIN(isa_, USFAST_ISA)
