//go:build cgo && !nonative

// The definition of linear.go in C, so that compilers vectorise it: integers only, but for the last step (v-mean)/std,
// which is one subtraction and one division in single precision and so has one result.
#include "linear.h"

// Each stage is compiled twice where the loader can choose by processor.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CLONES
#endif

static void across(int16_t *restrict dst, const uint8_t *restrict src, const int32_t *restrict xofs,
                   const int16_t *restrict alpha, int iw, int swap) {
	const int c0 = swap ? 2 : 0, c2 = 2 - c0;
	for (int x = 0; x < iw; x++, dst += 3) {
		const uint8_t *s = src + xofs[x];
		const int a0 = alpha[2 * x], a1 = alpha[2 * x + 1];
		dst[0] = (int16_t)((s[c0] * a0 + s[c0 + 3] * a1) >> 4);
		dst[1] = (int16_t)((s[1] * a0 + s[4] * a1) >> 4);
		dst[2] = (int16_t)((s[c2] * a0 + s[c2 + 3] * a1) >> 4);
	}
}

CLONES
static void down(uint8_t *restrict dst, const int16_t *restrict r0, const int16_t *restrict r1, int16_t b0, int16_t b1,
                 int n) {
	for (int i = 0; i < n; i++) {
		const int16_t t = (int16_t)((r0[i] * b0) >> 16), u = (int16_t)((r1[i] * b1) >> 16);
		dst[i] = (uint8_t)((int16_t)(t + u + 2) >> 2);
	}
}

static void luma(uint8_t *line, int n) {
	for (int i = 0; i < n; i++) {
		const uint32_t b = line[3 * i], g = line[3 * i + 1], r = line[3 * i + 2];
		line[i] = (uint8_t)((b * 3735 + g * 19235 + r * 9798 + (1 << 14)) >> 15);
	}
}

CLONES
static void to_float(float *restrict out, const uint8_t *restrict px, const float *restrict mean,
                     const float *restrict std, int n) {
	for (int i = 0; i < n; i++) out[i] = ((float)px[i] - mean[i]) / std[i];
}

CLONES
static void to_add(uint8_t *restrict out, const uint8_t *restrict px, uint8_t k, int n) {
	for (int i = 0; i < n; i++) out[i] = (uint8_t)(px[i] + k);
}

static void to_table(uint8_t *restrict out, const uint8_t *restrict px, const uint8_t *restrict table, int n, int c) {
	if (c == 1) {
		for (int i = 0; i < n; i++) out[i] = table[px[i]];
		return;
	}
	for (int i = 0; i + 3 <= n; i += 3) {
		out[i] = table[px[i]];
		out[i + 1] = table[256 + px[i + 1]];
		out[i + 2] = table[512 + px[i + 2]];
	}
}

void gleaner_prep_linear(const uint8_t *src, ptrdiff_t stride, int sw, int sh, const int32_t *xofs,
                         const int16_t *alpha, const int32_t *yofs, const int16_t *beta, int16_t *row0, int16_t *row1,
                         uint8_t *line, const float *mean, const float *std, const uint8_t *table, uint8_t *out,
                         ptrdiff_t out_stride, int iw, int ih, int c, int swap, int mode) {
	int have0 = -1, have1 = -1;
	(void)sw;
	(void)sh;
	for (int y = 0; y < ih; y++, out += out_stride) {
		const int y0 = yofs[2 * y], y1 = yofs[2 * y + 1];
		if (have0 != y0 && have1 == y0) {
			int16_t *r = row0;
			row0 = row1;
			row1 = r;
			have1 = have0;
			have0 = y0;
		}
		if (have0 != y0) {
			across(row0, src + y0 * stride, xofs, alpha, iw, swap);
			have0 = y0;
		}
		if (have1 != y1) {
			across(row1, src + y1 * stride, xofs, alpha, iw, swap);
			have1 = y1;
		}
		down(line, row0, row1, beta[2 * y], beta[2 * y + 1], 3 * iw);
		if (c == 1) luma(line, iw);
		switch (mode) {
		case 0:
			to_float((float *)out, line, mean, std, iw * c);
			break;
		case 1:
			to_add(out, line, table[0], iw * c);
			break;
		default:
			to_table(out, line, table, iw * c, c);
		}
	}
}
