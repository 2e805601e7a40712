//go:build cgo && !nonative

// Poolings. A maximum's gradient finds the greatest again instead of keeping where it was: oneDNN's keeps it, in memory of its own,
// and gives ties to other pixels on other processors, and behind a ReLU there are many.
#include <string.h>

#include "kernels.h"
#include "parallel.h"

namespace gdn {
namespace {

const int64_t kChannels = 128;  // how many channels of a pixel are worked on at once

// Taps are the pixels of a window that lie in the picture: rows [y0, y1), columns [x0, x1).
struct Taps {
  int64_t y0, y1, x0, x1;
  Taps(const PoolShape& p, int64_t oy, int64_t ox) {
    y0 = std::max<int64_t>(0, oy * p.sh - p.top), y1 = std::min(p.h, oy * p.sh - p.top + p.kh);
    x0 = std::max<int64_t>(0, ox * p.sw - p.left), x1 = std::min(p.w, ox * p.sw - p.left + p.kw);
  }
  float share() const { return 1.0f / (float)((y1 - y0) * (x1 - x0)); }
};

// max_rows fills rows [from, to) of one picture's result. NaN wins.
WIDE void max_rows(const PoolShape& p, int64_t from, int64_t to, const float* x, float* y) {
  for (int64_t oy = from; oy < to; oy++)
    for (int64_t ox = 0; ox < p.ow; ox++) {
      const Taps t(p, oy, ox);
      float* out = y + (oy * p.ow + ox) * p.c;
      memcpy(out, x + (t.y0 * p.w + t.x0) * p.c, p.c * sizeof(float));
      for (int64_t iy = t.y0; iy < t.y1; iy++)
        for (int64_t ix = t.x0; ix < t.x1; ix++) {
          const float* in = x + (iy * p.w + ix) * p.c;
          EACH(k, p.c) out[k] = (out[k] >= in[k]) | (out[k] != out[k]) ? out[k] : in[k];
        }
    }
}

// max_dx_picture is the gradient of one picture: each window's dy goes to its first greatest pixel, row by row.
WIDE void max_dx_picture(const PoolShape& p, const float* x, const float* y, const float* dy, float* dx) {
  memset(dx, 0, p.h * p.w * p.c * sizeof(float));
  float left[kChannels];  // what the window has not given away
  for (int64_t oy = 0; oy < p.oh; oy++)
    for (int64_t ox = 0; ox < p.ow; ox++) {
      const Taps t(p, oy, ox);
      for (int64_t k0 = 0; k0 < p.c; k0 += kChannels) {
        const int64_t width = std::min(kChannels, p.c - k0), at = (oy * p.ow + ox) * p.c + k0;
        const float* top = y + at;
        memcpy(left, dy + at, width * sizeof(float));
        for (int64_t iy = t.y0; iy < t.y1; iy++)
          for (int64_t ix = t.x0; ix < t.x1; ix++) {
            const float* in = x + (iy * p.w + ix) * p.c + k0;
            float* d = dx + (iy * p.w + ix) * p.c + k0;
            EACH(k, width) {
              const float gives = in[k] == top[k] ? left[k] : 0;
              d[k] += gives;
              left[k] = in[k] == top[k] ? 0 : left[k];
            }
          }
      }
    }
}

WIDE void avg_rows(const PoolShape& p, int64_t from, int64_t to, const float* x, float* y) {
  for (int64_t oy = from; oy < to; oy++)
    for (int64_t ox = 0; ox < p.ow; ox++) {
      const Taps t(p, oy, ox);
      float* out = y + (oy * p.ow + ox) * p.c;
      memset(out, 0, p.c * sizeof(float));
      for (int64_t iy = t.y0; iy < t.y1; iy++)
        for (int64_t ix = t.x0; ix < t.x1; ix++) {
          const float* in = x + (iy * p.w + ix) * p.c;
          EACH(k, p.c) out[k] += in[k];
        }
      const float share = t.share();
      EACH(k, p.c) out[k] *= share;
    }
}

WIDE void avg_dx_picture(const PoolShape& p, const float* dy, float* dx) {
  memset(dx, 0, p.h * p.w * p.c * sizeof(float));
  for (int64_t oy = 0; oy < p.oh; oy++)
    for (int64_t ox = 0; ox < p.ow; ox++) {
      const Taps t(p, oy, ox);
      const float share = t.share(), *in = dy + (oy * p.ow + ox) * p.c;
      for (int64_t iy = t.y0; iy < t.y1; iy++)
        for (int64_t ix = t.x0; ix < t.x1; ix++) {
          float* d = dx + (iy * p.w + ix) * p.c;
          EACH(k, p.c) d[k] += in[k] * share;
        }
    }
}

WIDE void mean_picture(int64_t pixels, int64_t c, const float* x, float* y) {
  memset(y, 0, c * sizeof(float));
  for (int64_t i = 0; i < pixels; i++, x += c) EACH(k, c) y[k] += x[k];
  const float share = 1.0f / (float)pixels;
  EACH(k, c) y[k] *= share;
}

WIDE void spread_picture(int64_t pixels, int64_t c, const float* dy, float* dx) {
  const float share = 1.0f / (float)pixels;
  for (int64_t i = 0; i < pixels; i++, dx += c) EACH(k, c) dx[k] = dy[k] * share;
}

// rows calls f(picture, from, to) for parts of the result's rows.
template <class F>
void rows(const PoolShape& p, const F& f) {
  split(p.n * p.oh, parts(p.n * p.oh * p.ow * p.c * p.kh * p.kw, 1 << 14), 1, [&](int64_t i, int64_t end, int) {
    while (i < end) {
      const int64_t picture = i / p.oh, last = std::min(end, (picture + 1) * p.oh);
      f(picture, i - picture * p.oh, last - picture * p.oh);
      i = last;
    }
  });
}

// pictures calls f(picture), several at the same time where there is enough to do.
template <class F>
void pictures(int64_t n, int64_t size, const F& f) {
  split(n, std::min<int>((int)n, parts(n * size, 1 << 13)), 1, [&](int64_t i, int64_t end, int) {
    for (; i < end; i++) f(i);
  });
}

}  // namespace

void max_pool(const PoolShape& p, const float* x, float* y) {
  rows(p, [&](int64_t i, int64_t from, int64_t to) { max_rows(p, from, to, x + i * p.h * p.w * p.c, y + i * p.oh * p.ow * p.c); });
}

void max_pool_dx(const PoolShape& p, const float* x, const float* y, const float* dy, float* dx) {
  const int64_t in = p.h * p.w * p.c, out = p.oh * p.ow * p.c;
  pictures(p.n, in, [&](int64_t i) { max_dx_picture(p, x + i * in, y + i * out, dy + i * out, dx + i * in); });
}

void avg_pool(const PoolShape& p, const float* x, float* y) {
  rows(p, [&](int64_t i, int64_t from, int64_t to) { avg_rows(p, from, to, x + i * p.h * p.w * p.c, y + i * p.oh * p.ow * p.c); });
}

void avg_pool_dx(const PoolShape& p, const float* dy, float* dx) {
  const int64_t in = p.h * p.w * p.c, out = p.oh * p.ow * p.c;
  pictures(p.n, in, [&](int64_t i) { avg_dx_picture(p, dy + i * out, dx + i * in); });
}

void global_pool(int64_t n, int64_t pixels, int64_t c, const float* x, float* y) {
  pictures(n, pixels * c, [&](int64_t i) { mean_picture(pixels, c, x + i * pixels * c, y + i * c); });
}

void global_pool_dx(int64_t n, int64_t pixels, int64_t c, const float* dy, float* dx) {
  pictures(n, pixels * c, [&](int64_t i) { spread_picture(pixels, c, dy + i * c, dx + i * pixels * c); });
}

}  // namespace gdn
