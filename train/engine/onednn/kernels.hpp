// Loops over arrays, compiled for several instruction sets; the loader picks the best that the processor has.
#pragma once
#include <math.h>
#include <stdint.h>

#if defined(__x86_64__)
#define WIDE __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define WIDE
#endif

typedef int64_t I;

// A loop whose rounds touch one element each, also where a result lies over an input.
#define EACH(i, n) _Pragma("GCC ivdep") for (I i = 0; i < n; i++)

WIDE static void k_act(I n, int act, const float *x, float *y) {
    if (act == 2)
        EACH(i, n) { float v = x[i] > 0 ? x[i] : 0; y[i] = v < 6 ? v : 6; }
    else
        EACH(i, n) y[i] = x[i] > 0 ? x[i] : 0;
}
WIDE static void k_act_dx(I n, int act, const float *y, const float *dy, float *dx) {
    if (act == 2)
        EACH(i, n) dx[i] = (y[i] > 0) & (y[i] < 6) ? dy[i] : 0;
    else
        EACH(i, n) dx[i] = y[i] > 0 ? dy[i] : 0;
}
WIDE static void k_add(I n, int act, const float *a, const float *b, float *y) {
    if (act == 2)
        EACH(i, n) { float v = a[i] + b[i]; v = v > 0 ? v : 0; y[i] = v < 6 ? v : 6; }
    else if (act == 1)
        EACH(i, n) { float v = a[i] + b[i]; y[i] = v > 0 ? v : 0; }
    else
        EACH(i, n) y[i] = a[i] + b[i];
}
WIDE static void k_scale(I n, float f, const float *x, float *y) {
    EACH(i, n) y[i] = f * x[i];
}
static inline uint32_t mix(uint32_t h) {
    h ^= h >> 16; h *= 0x85EBCA6Bu; h ^= h >> 13; h *= 0xC2B2AE35u;
    return h ^ h >> 16;
}
WIDE static void k_dropout(I from, I n, float rate, float keep, uint32_t base, const float *x, float *y) {
    for (I i = from; i < n; i++) {
        float u = (float)(int32_t)(mix((uint32_t)i ^ base) >> 8) * (1.0f / (1 << 24));
        y[i] = u < rate ? 0 : x[i] * keep;
    }
}
// Sums of a block of rows, less a shift per channel, and of their squares: added to double sums by the caller.
WIDE static void k_moments(I rows, I c, const float *x, const float *shift, float *s, float *q) {
    EACH(j, c) s[j] = q[j] = 0;
    for (I r = 0; r < rows; r++, x += c)
        EACH(j, c) { float v = x[j] - shift[j]; s[j] += v; q[j] += v * v; }
}
WIDE static void k_affine(I rows, I c, int act, const float *x, const float *a, const float *b, float *y) {
    if (act == 2)
        for (I r = 0; r < rows; r++, x += c, y += c)
            EACH(j, c) { float v = x[j] * a[j] + b[j]; v = v > 0 ? v : 0; y[j] = v < 6 ? v : 6; }
    else if (act == 1)
        for (I r = 0; r < rows; r++, x += c, y += c)
            EACH(j, c) { float v = x[j] * a[j] + b[j]; y[j] = v > 0 ? v : 0; }
    else
        for (I r = 0; r < rows; r++, x += c, y += c)
            EACH(j, c) y[j] = x[j] * a[j] + b[j];
}
// Sums of dy and of dy·(x-μ) over a block of rows, dy masked by the activation's result y.
WIDE static void k_norm_sums(I rows, I c, int act, const float *x, const float *mean, const float *dy, const float *y, float *s, float *q) {
    EACH(j, c) s[j] = q[j] = 0;
    if (act == 2)
        for (I r = 0; r < rows; r++, x += c, dy += c, y += c)
            EACH(j, c) { float d = (y[j] > 0) & (y[j] < 6) ? dy[j] : 0; s[j] += d; q[j] += d * (x[j] - mean[j]); }
    else if (act == 1)
        for (I r = 0; r < rows; r++, x += c, dy += c, y += c)
            EACH(j, c) { float d = y[j] > 0 ? dy[j] : 0; s[j] += d; q[j] += d * (x[j] - mean[j]); }
    else
        for (I r = 0; r < rows; r++, x += c, dy += c)
            EACH(j, c) { s[j] += dy[j]; q[j] += dy[j] * (x[j] - mean[j]); }
}
// dx = a·dy + b·x + k per channel.
WIDE static void k_norm_dx(I rows, I c, int act, const float *x, const float *dy, const float *y, const float *a, const float *b, const float *k, float *dx) {
    if (act == 2)
        for (I r = 0; r < rows; r++, x += c, dy += c, y += c, dx += c)
            EACH(j, c) { float d = (y[j] > 0) & (y[j] < 6) ? dy[j] : 0; dx[j] = a[j] * d + b[j] * x[j] + k[j]; }
    else if (act == 1)
        for (I r = 0; r < rows; r++, x += c, dy += c, y += c, dx += c)
            EACH(j, c) { float d = y[j] > 0 ? dy[j] : 0; dx[j] = a[j] * d + b[j] * x[j] + k[j]; }
    else
        for (I r = 0; r < rows; r++, x += c, dy += c, dx += c)
            EACH(j, c) dx[j] = a[j] * dy[j] + b[j] * x[j] + k[j];
}
WIDE static void k_rows_sum(I rows, I c, const float *x, float f, float *y) {
    EACH(j, c) y[j] = 0;
    for (I r = 0; r < rows; r++, x += c)
        EACH(j, c) y[j] += x[j];
    EACH(j, c) y[j] *= f;
}
WIDE static void k_lerp(I n, float rate, float factor, const float *a, const float *b, float *y) {
    EACH(i, n) y[i] = a[i] + rate * (factor * b[i] - a[i]);
}
WIDE static void k_sgd(I n, float rate, float decay, float momentum, int nesterov, float clip, float *w, const float *g, float *v) {
    if (nesterov)
        EACH(i, n) {
            float d = g[i] * clip + decay * w[i], s = momentum * v[i] + d;
            v[i] = s;
            w[i] -= rate * (d + momentum * s);
        }
    else
        EACH(i, n) {
            float s = momentum * v[i] + g[i] * clip + decay * w[i];
            v[i] = s;
            w[i] -= rate * s;
        }
}
WIDE static void k_adam(I n, float rate, float through, float beside, float b1, float b2, float eps, float c1, float c2, float clip, float *w,
                        const float *g, float *m, float *v) {
    EACH(i, n) {
        float d = g[i] * clip + through * w[i];
        float mean = b1 * m[i] + (1 - b1) * d, square = b2 * v[i] + (1 - b2) * d * d;
        m[i] = mean;
        v[i] = square;
        w[i] = w[i] - rate * (mean * c1 / (sqrtf(square * c2) + eps)) - rate * beside * w[i];
    }
}
