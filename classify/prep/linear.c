//go:build cgo && !nonative

// The definition of linear.go in C, so that compilers vectorise it: integers only, but for the last step (v-mean)/std,
// which is one subtraction and one division in single precision and so has one result.
#include "linear.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// Each stage is compiled twice where the loader can choose by processor.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CLONES
#endif

// across interpolates target columns x0 to iw-1 of one row.
static void across(int16_t *restrict dst, const uint8_t *restrict src, const int32_t *restrict xofs,
                   const int16_t *restrict alpha, int x0, int iw, int swap) {
	const int c0 = swap ? 2 : 0, c2 = 2 - c0;
	dst += 3 * x0;
	for (int x = x0; x < iw; x++, dst += 3) {
		const uint8_t *s = src + xofs[x];
		const int a0 = alpha[2 * x], a1 = alpha[2 * x + 1];
		dst[0] = (int16_t)((s[c0] * a0 + s[c0 + 3] * a1) >> 4);
		dst[1] = (int16_t)((s[1] * a0 + s[4] * a1) >> 4);
		dst[2] = (int16_t)((s[c2] * a0 + s[c2 + 3] * a1) >> 4);
	}
}

// across_wide does as many of the first n columns as it can at once and returns how many. Each of the n may be read 8
// bytes wide. It writes up to 4 bytes more than it says, within the row. Compilers do not find this by themselves: the
// loads are gathers of 6 bytes.
#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_WIDE __builtin_cpu_supports("avx2")
__attribute__((target("avx2"))) static inline __m256i two(const uint8_t *p, const uint8_t *q, __m256i pairs,
                                                          __m256i weights) {
	const __m128i l = _mm_loadl_epi64((const __m128i *)p), h = _mm_loadl_epi64((const __m128i *)q);
	const __m256i px = _mm256_shuffle_epi8(_mm256_set_m128i(h, l), pairs);
	return _mm256_srai_epi32(_mm256_madd_epi16(px, weights), 4);
}

__attribute__((target("avx2"))) static int across_wide(int16_t *dst, const uint8_t *src, const int32_t *xofs,
                                                       const int16_t *alpha, int n, int iw, int swap) {
	const __m256i pairs = _mm256_broadcastsi128_si256(
	    swap ? _mm_setr_epi8(2, -1, 5, -1, 1, -1, 4, -1, 0, -1, 3, -1, -1, -1, -1, -1)
	         : _mm_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1));
	const __m256i squeeze = _mm256_broadcastsi128_si256(
	    _mm_setr_epi8(0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13, -1, -1, -1, -1));
	const __m256i even = _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2), odd = _mm256_setr_epi32(1, 1, 1, 1, 3, 3, 3, 3);
	int x = 0;
	for (; x + 4 <= n && x + 6 <= iw; x += 4) {
		const __m256i w = _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(alpha + 2 * x)));
		const __m256i a = two(src + xofs[x], src + xofs[x + 2], pairs, _mm256_permutevar8x32_epi32(w, even));
		const __m256i b = two(src + xofs[x + 1], src + xofs[x + 3], pairs, _mm256_permutevar8x32_epi32(w, odd));
		const __m256i r = _mm256_shuffle_epi8(_mm256_packs_epi32(a, b), squeeze);
		_mm_storeu_si128((__m128i *)(dst + 3 * x), _mm256_castsi256_si128(r));
		_mm_storeu_si128((__m128i *)(dst + 3 * x + 6), _mm256_extracti128_si256(r, 1));
	}
	return x;
}
#elif defined(__aarch64__)
#define HAVE_WIDE 1
static int across_wide(int16_t *dst, const uint8_t *src, const int32_t *xofs, const int16_t *alpha, int n, int iw,
                       int swap) {
	static const uint8_t order[2][8] = {{0, 1, 2, 255, 3, 4, 5, 255}, {2, 1, 0, 255, 5, 4, 3, 255}};
	const uint8x8_t lanes = vld1_u8(order[swap]);
	int x = 0;
	for (; x < n && x + 2 <= iw; x++) {
		const uint16x8_t px = vmovl_u8(vtbl1_u8(vld1_u8(src + xofs[x]), lanes));
		uint32x4_t s = vmull_n_u16(vget_low_u16(px), (uint16_t)alpha[2 * x]);
		s = vmlal_n_u16(s, vget_high_u16(px), (uint16_t)alpha[2 * x + 1]);
		vst1_u16((uint16_t *)dst + 3 * x, vshrn_n_u32(s, 4));
	}
	return x;
}
#else
#define HAVE_WIDE 0
static int across_wide(int16_t *dst, const uint8_t *src, const int32_t *xofs, const int16_t *alpha, int n, int iw,
                       int swap) {
	(void)dst, (void)src, (void)xofs, (void)alpha, (void)n, (void)iw, (void)swap;
	return 0;
}
#endif

static void across_row(int16_t *dst, const uint8_t *src, const int32_t *xofs, const int16_t *alpha, int n, int iw,
                       int swap) {
	const int x0 = n > 0 ? across_wide(dst, src, xofs, alpha, n, iw, swap) : 0;
	across(dst, src, xofs, alpha, x0, iw, swap);
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
	int n = HAVE_WIDE ? iw : 0; // columns that may be read 8 bytes wide
	while (n > 0 && xofs[n - 1] + 8 > 3 * sw) n--;
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
			across_row(row0, src + y0 * stride, xofs, alpha, n, iw, swap);
			have0 = y0;
		}
		if (have1 != y1) {
			across_row(row1, src + y1 * stride, xofs, alpha, n, iw, swap);
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
