#ifndef GLEANER_PREP_LINEAR_H
#define GLEANER_PREP_LINEAR_H
#include <stddef.h>
#include <stdint.h>

// gleaner_prep_linear computes what fillGo of linear.go computes, byte for byte. sw >= 2; tables, rows (3*iw each) and
// line (3*iw) are those of Prep; mode is 0 float32, 1 add, 2 table.
void gleaner_prep_linear(const uint8_t *src, ptrdiff_t stride, int sw, int sh, const int32_t *xofs,
                         const int16_t *alpha, const int32_t *yofs, const int16_t *beta, int16_t *row0, int16_t *row1,
                         uint8_t *line, const float *mean, const float *std, const uint8_t *table, uint8_t *out,
                         ptrdiff_t out_stride, int iw, int ih, int c, int swap, int mode);
#endif
