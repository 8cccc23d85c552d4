#include "arca_archive.h"

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>
#include <zstd.h>

struct arca_decompressor {
  int format;
  int at_end;
  z_stream gzip;
  ZSTD_DStream *zstd;
};

arca_decompressor *arca_decompressor_new(int format) {
  arca_decompressor *made = calloc(1, sizeof *made);
  if (made == NULL) return NULL;
  made->format = format;
  if (format == ARCA_GZIP) {
    // 16 + 15: a gzip wrapper is demanded, with the largest window that the format allows.
    if (inflateInit2(&made->gzip, 16 + 15) == Z_OK) return made;
  } else {
    made->zstd = ZSTD_createDStream();
    if (made->zstd != NULL) return made;
  }
  free(made);
  return NULL;
}

void arca_decompressor_free(arca_decompressor *decompressor) {
  if (decompressor == NULL) return;
  if (decompressor->format == ARCA_GZIP) inflateEnd(&decompressor->gzip);
  else ZSTD_freeDStream(decompressor->zstd);
  free(decompressor);
}

static unsigned bounded(size_t count) { return count > UINT_MAX ? UINT_MAX : (unsigned)count; }

static int step_gzip(arca_decompressor *d, const uint8_t *input, size_t input_count,
                     size_t *input_used, uint8_t *output, size_t output_count,
                     size_t *output_used) {
  // Layers may be several members one after the other, as pigz and bgzip write them.
  if (d->at_end && input_count > 0) {
    if (inflateReset(&d->gzip) != Z_OK) return ARCA_STEP_CORRUPT;
    d->at_end = 0;
  }
  d->gzip.next_in = (uint8_t *)input;
  d->gzip.avail_in = bounded(input_count);
  d->gzip.next_out = output;
  d->gzip.avail_out = bounded(output_count);
  int result = inflate(&d->gzip, Z_NO_FLUSH);
  *input_used = (size_t)(d->gzip.next_in - input);
  *output_used = (size_t)(d->gzip.next_out - output);
  if (result == Z_STREAM_END) d->at_end = 1;
  else if (result != Z_OK && result != Z_BUF_ERROR) return ARCA_STEP_CORRUPT;
  return d->at_end ? ARCA_STEP_BOUNDARY : ARCA_STEP_MORE;
}

static int step_zstd(arca_decompressor *d, const uint8_t *input, size_t input_count,
                     size_t *input_used, uint8_t *output, size_t output_count,
                     size_t *output_used) {
  ZSTD_inBuffer in = {input, input_count, 0};
  ZSTD_outBuffer out = {output, output_count, 0};
  size_t result = ZSTD_decompressStream(d->zstd, &out, &in);
  *input_used = in.pos;
  *output_used = out.pos;
  if (ZSTD_isError(result)) return ARCA_STEP_CORRUPT;
  return result == 0 ? ARCA_STEP_BOUNDARY : ARCA_STEP_MORE;
}

int arca_decompressor_step(arca_decompressor *decompressor, const uint8_t *input,
                           size_t input_count, size_t *input_used, uint8_t *output,
                           size_t output_count, size_t *output_used) {
  if (decompressor->format == ARCA_GZIP) {
    return step_gzip(decompressor, input, input_count, input_used, output, output_count,
                     output_used);
  }
  return step_zstd(decompressor, input, input_count, input_used, output, output_count,
                   output_used);
}
