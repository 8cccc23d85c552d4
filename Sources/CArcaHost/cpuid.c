#include "arca_cpuid.h"

#include <cpuid.h>

uint32_t arca_cpuid(uint32_t leaf, uint32_t subleaf, int register_number) {
  uint32_t answer[4] = {0, 0, 0, 0};
  if (!__get_cpuid_count(leaf, subleaf, &answer[0], &answer[1], &answer[2], &answer[3])) return 0;
  return answer[register_number & 3];
}
