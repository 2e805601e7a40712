//go:build cgo && !nonative

// Operators that work on each element by itself, and fake quantisation.
#include <math.h>
#include <string.h>

#include "kernels.h"
#include "parallel.h"

namespace gdn {
namespace {

WIDE void act_part(int64_t n, Act a, const float* x, float* y) {
  if (a == kRelu)
    EACH(i, n) y[i] = activate<kRelu>(x[i]);
  else
    EACH(i, n) y[i] = activate<kRelu6>(x[i]);
}

WIDE void act_dx_part(int64_t n, Act a, const float* y, const float* dy, float* dx) {
  if (a == kRelu)
    EACH(i, n) dx[i] = masked<kRelu>(y[i], dy[i]);
  else
    EACH(i, n) dx[i] = masked<kRelu6>(y[i], dy[i]);
}

WIDE void hswish_part(int64_t n, const float* x, float* y) {
  EACH(i, n) y[i] = x[i] * activate<kRelu6>(x[i] + 3) / 6;
}

WIDE void hswish_dx_part(int64_t n, const float* x, const float* dy, float* dx) {
  EACH(i, n) {
    const float between = dy[i] * (2 * x[i] + 3) / 6, above = x[i] >= 3 ? dy[i] : between;
    dx[i] = x[i] <= -3 ? 0 : above;
  }
}

WIDE void add_part(int64_t n, Act act, const float* a, const float* b, float* y) {
  if (act == kNone)
    EACH(i, n) y[i] = a[i] + b[i];
  else if (act == kRelu)
    EACH(i, n) y[i] = activate<kRelu>(a[i] + b[i]);
  else
    EACH(i, n) y[i] = activate<kRelu6>(a[i] + b[i]);
}

WIDE void scale_part(int64_t n, float factor, const float* x, float* y) {
  EACH(i, n) y[i] = factor * x[i];
}

// mix is the finaliser of MurmurHash3, as in train/engine/backend.go.
INLINE uint32_t mix(uint32_t h) {
  h ^= h >> 16;
  h *= 0x85EBCA6Bu;
  h ^= h >> 13;
  h *= 0xC2B2AE35u;
  return h ^ h >> 16;
}

WIDE void dropout_part(uint32_t first, int64_t n, float rate, float keep, uint32_t salt, const float* x, float* y) {
  EACH(i, n) {
    const float u = (float)(int32_t)(mix((first + (uint32_t)i) ^ salt) >> 8) * 0x1p-24f;
    y[i] = u < rate ? 0 : x[i] * keep;
  }
}

// Integers are those of newIntegers in train/engine/ref/quant.go: x becomes round(x/scale) + zero, 0 to top.
struct Integers {
  float scale, zero, top;
  Integers(const float* span, float most) : top(most) {
    const float lo = span[0] > 0 ? 0 : span[0];
    float hi = span[1] < 0 ? 0 : span[1];
    if (hi == lo) hi = lo + 1;
    scale = (hi - lo) / top;
    zero = rintf(-lo / scale);
    if (zero > top) zero = top;
  }
};

WIDE void fake_quant_part(int64_t n, float step, float zero, float top, const float* x, float* y) {
  EACH(i, n) {
    float v = rintf(x[i] / step) + zero;
    v = v < 0 ? 0 : v;
    v = v > top ? top : v;
    y[i] = (v - zero) * step;
  }
}

WIDE void fake_quant_dx_part(int64_t n, float lo, float hi, const float* x, const float* dy, float* dx) {
  EACH(i, n) dx[i] = (x[i] < lo) | (x[i] > hi) ? 0 : dy[i];
}

// round_to sends a row of weights through the integers up to ±most of its own scale.
WIDE void round_to(int64_t n, float most, const float* w, float* y) {
  float top = 0;
  for (int64_t i = 0; i < n; i++) {
    const float v = fabsf(w[i]);
    top = v > top || v != v ? v : top;
  }
  const float step = top / most;
  if (step > 0)
    EACH(i, n) y[i] = rintf(w[i] / step) * step;
  else
    memmove(y, w, n * sizeof(float));
}

}  // namespace

void act(int64_t n, Act a, const float* x, float* y) {
  each(n, [=](int64_t i, int64_t end) { act_part(end - i, a, x + i, y + i); });
}

void act_dx(int64_t n, Act a, const float* y, const float* dy, float* dx) {
  each(n, [=](int64_t i, int64_t end) { act_dx_part(end - i, a, y + i, dy + i, dx + i); });
}

void hswish(int64_t n, const float* x, float* y) {
  each(n, [=](int64_t i, int64_t end) { hswish_part(end - i, x + i, y + i); });
}

void hswish_dx(int64_t n, const float* x, const float* dy, float* dx) {
  each(n, [=](int64_t i, int64_t end) { hswish_dx_part(end - i, x + i, dy + i, dx + i); });
}

void sigmoid(int64_t n, const float* z, float* p) {
  each(n, [=](int64_t i, int64_t end) {
    for (; i < end; i++) {
      const double e = exp(-fabs((double)z[i]));
      p[i] = (float)(z[i] >= 0 ? 1 / (1 + e) : e / (1 + e));
    }
  });
}

void add(int64_t n, Act act, const float* a, const float* b, float* y) {
  each(n, [=](int64_t i, int64_t end) { add_part(end - i, act, a + i, b + i, y + i); });
}

void scale(int64_t n, float factor, const float* x, float* y) {
  each(n, [=](int64_t i, int64_t end) { scale_part(end - i, factor, x + i, y + i); });
}

void dropout(int64_t n, float rate, float keep, uint32_t seed, float step, const float* x, float* y) {
  const uint32_t salt = mix((uint32_t)step * 0x9E3779B9u + seed);
  each(n, [=](int64_t i, int64_t end) { dropout_part((uint32_t)i, end - i, rate, keep, salt, x + i, y + i); });
}

void columns(int64_t rows, int64_t width, const float* src, int64_t from, float* dst, int64_t to) {
  split(rows, parts(rows * width, 1 << 13), 1, [=](int64_t i, int64_t end, int) {
    for (; i < end; i++) memcpy(dst + i * to, src + i * from, width * sizeof(float));
  });
}

void turn(int64_t n, int64_t k, Act act, const float* t, const float* b, float* y) {
  split(n, parts(n * k, 1 << 13), 1, [=](int64_t i, int64_t end, int) {
    for (; i < end; i++)
      for (int64_t j = 0; j < k; j++) {
        const float v = t[j * n + i] + (b ? b[j] : 0);
        y[i * k + j] = act == kRelu6 ? activate<kRelu6>(v) : act == kRelu ? activate<kRelu>(v) : v;
      }
  });
}

void range(int64_t n, const float* x, float* minmax) {
  const int count = parts(n, 1 << 13);
  std::vector<float> ends(2 * count, x[0]);
  split(n, count, 16, [&](int64_t i, int64_t end, int part) {
    float lo = x[i], hi = x[i];
    for (; i < end; i++) {
      lo = x[i] < lo || x[i] != x[i] ? x[i] : lo;
      hi = x[i] > hi || x[i] != x[i] ? x[i] : hi;
    }
    ends[2 * part] = lo, ends[2 * part + 1] = hi;
  });
  minmax[0] = ends[0], minmax[1] = ends[1];
  for (int i = 1; i < count; i++) {
    const float lo = ends[2 * i], hi = ends[2 * i + 1];
    minmax[0] = lo < minmax[0] || lo != lo ? lo : minmax[0];
    minmax[1] = hi > minmax[1] || hi != hi ? hi : minmax[1];
  }
}

void fake_quant(int64_t n, float top, const float* x, const float* span, float* y) {
  const Integers q(span, top);
  each(n, [=](int64_t i, int64_t end) { fake_quant_part(end - i, q.scale, q.zero, q.top, x + i, y + i); });
}

void fake_quant_dx(int64_t n, float top, const float* x, const float* span, const float* dy, float* dx) {
  const Integers q(span, top);
  const float lo = -q.zero * q.scale, hi = (q.top - q.zero) * q.scale;
  each(n, [=](int64_t i, int64_t end) { fake_quant_dx_part(end - i, lo, hi, x + i, dy + i, dx + i); });
}

void fake_quant_w(int64_t rows, int64_t width, float most, const float* w, float* y) {
  split(rows, parts(rows * width, 1 << 13), 1, [=](int64_t i, int64_t end, int) {
    for (; i < end; i++) round_to(width, most, w + i * width, y + i * width);
  });
}

}  // namespace gdn
