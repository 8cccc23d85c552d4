// Streaming decompression of gzip (RFC 1952) and Zstandard (RFC 8878).
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ARCA_GZIP 1
#define ARCA_ZSTD 2

// Results of arca_decompressor_step.
#define ARCA_STEP_MORE 0       // in the middle of a member or frame
#define ARCA_STEP_BOUNDARY 1   // a member or frame just ended; the input may end here
#define ARCA_STEP_CORRUPT (-1) // not valid in this format

typedef struct arca_decompressor arca_decompressor;

// A decompressor for `format`, or NULL when there is no memory.
arca_decompressor *arca_decompressor_new(int format);
void arca_decompressor_free(arca_decompressor *decompressor);

// Takes input and gives output as far as both buffers reach; says how much of each was used.
int arca_decompressor_step(arca_decompressor *decompressor, const uint8_t *input,
                           size_t input_count, size_t *input_used, uint8_t *output,
                           size_t output_count, size_t *output_used);
