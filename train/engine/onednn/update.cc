//go:build cgo && !nonative

// The optimisers' steps and what else is done to parameters as a whole.
#include <math.h>

#include "kernels.h"
#include "parallel.h"

// Square roots become vectors only where they leave errno alone. No compiler flag that cgo lets pass says so; this does.
extern "C" float sqrtf(float) noexcept __attribute__((const));

namespace gdn {
namespace {

const int64_t kStretch = 1 << 10;  // numbers whose squares are summed in single precision

// squares sums (w-start)² over at most kStretch numbers, in 16 sums side by side.
WIDE double squares(int64_t n, const float* w, const float* start) {
  float s[16] = {};
  int64_t i = 0;
  for (; i + 16 <= n; i += 16) EACH(j, 16) {
      const float d = start ? w[i + j] - start[i + j] : w[i + j];
      s[j] += d * d;
    }
  double sum = 0;
  for (float v : s) sum += v;
  for (; i < n; i++) {
    const double d = start ? w[i] - start[i] : w[i];
    sum += d * d;
  }
  return sum;
}

double sum_squares_from(int64_t n, const float* w, const float* start) {
  const int64_t stretches = (n + kStretch - 1) / kStretch;
  const int count = parts(n, 1 << 14);
  std::vector<double> sums(count, 0.0);
  split(stretches, count, 1, [&](int64_t i, int64_t end, int part) {
    double sum = 0;
    for (; i < end; i++) {
      const int64_t at = i * kStretch;
      sum += squares(std::min(kStretch, n - at), w + at, start ? start + at : nullptr);
    }
    sums[part] = sum;
  });
  double sum = 0;
  for (double s : sums) sum += s;
  return sum;
}

WIDE void l2_dw_part(int64_t n, float factor, const float* w, const float* start, float* dw) {
  if (start)
    EACH(i, n) dw[i] = factor * (w[i] - start[i]);
  else
    EACH(i, n) dw[i] = factor * w[i];
}

WIDE void sgd_part(int64_t n, float rate, float decay, float momentum, bool nesterov, float clip, float* w, const float* g, float* v) {
  if (nesterov)
    EACH(i, n) {
      const float d = g[i] * clip + decay * w[i], step = momentum * v[i] + d;
      v[i] = step;
      w[i] -= rate * (d + momentum * step);
    }
  else
    EACH(i, n) {
      const float step = momentum * v[i] + (g[i] * clip + decay * w[i]);
      v[i] = step;
      w[i] -= rate * step;
    }
}

WIDE void adam_part(int64_t n, const UpdateRule& r, float rate, float corr1, float corr2, float clip, float* w, const float* g, float* m,
                    float* v) {
  const float through = r.decoupled ? 0 : r.decay, beside = r.decoupled ? rate * r.decay : 0;
  const float b1 = r.beta1, b2 = r.beta2, c1 = r.one_minus_beta1, c2 = r.one_minus_beta2, eps = r.eps;
  EACH(i, n) {
    const float d = g[i] * clip + through * w[i], mean = b1 * m[i] + c1 * d, square = b2 * v[i] + c2 * d * d;
    m[i] = mean;
    v[i] = square;
    w[i] = w[i] - rate * (mean * corr1 / (sqrtf(square * corr2) + eps)) - beside * w[i];
  }
}

WIDE void lerp_part(int64_t n, float rate, float factor, const float* a, const float* b, float* y) {
  EACH(i, n) y[i] = a[i] + rate * (factor * b[i] - a[i]);
}

}  // namespace

double sum_squares(int64_t n, const float* x) { return sum_squares_from(n, x, nullptr); }

void l2(int64_t n, double factor, const float* w, const float* start, float* loss) {
  *loss = (float)(factor / 2 * sum_squares_from(n, w, start));
}

void l2_dw(int64_t n, float factor, const float* dloss, const float* w, const float* start, float* dw) {
  factor *= *dloss;
  each(n, [=](int64_t i, int64_t end) { l2_dw_part(end - i, factor, w + i, start ? start + i : nullptr, dw + i); });
}

void sgd(int64_t n, const UpdateRule& r, float lr, float clip, float* w, const float* g, float* velocity) {
  each(n, [=, &r](int64_t i, int64_t end) {
    sgd_part(end - i, lr * r.rate, r.decay, r.momentum, r.nesterov, clip, w + i, g + i, velocity + i);
  });
}

void adam(int64_t n, const UpdateRule& r, float lr, float corr1, float corr2, float clip, float* w, const float* g, float* m, float* v) {
  each(n, [=, &r](int64_t i, int64_t end) { adam_part(end - i, r, lr * r.rate, corr1, corr2, clip, w + i, g + i, m + i, v + i); });
}

void lerp(int64_t n, float rate, float factor, const float* a, const float* b, float* y) {
  each(n, [=](int64_t i, int64_t end) { lerp_part(end - i, rate, factor, a + i, b + i, y + i); });
}

}  // namespace gdn
