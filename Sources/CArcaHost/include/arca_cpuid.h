#pragma once

#include <stdint.h>

// CPUID's answer for a leaf: register is 0 to 3 for EAX, EBX, ECX, EDX; 0 where the leaf is beyond
// what the processor knows.
uint32_t arca_cpuid(uint32_t leaf, uint32_t subleaf, int register_number);
