//go:build cgo && !nonative

// Batch norm and its gradient, each in two passes over the batch: sums per channel, then the result. Few channels are handled as
// longer lines of several pixels, so that the inner loops are worth their while.
#include <math.h>

#include "kernels.h"
#include "parallel.h"

namespace gdn {
namespace {

const int64_t kBlock = 64;  // lines whose sums are kept in single precision

// moments sums (x-from) and (x-from)² of the lines up, four lines at a time, since the sums are in memory.
WIDE void moments(int64_t lines, int64_t width, const float* x, const float* from, float* s, float* q) {
  EACH(j, width) s[j] = q[j] = 0;
  int64_t i = 0;
  for (; i + 4 <= lines; i += 4, x += 4 * width) {
    const float *x1 = x + width, *x2 = x1 + width, *x3 = x2 + width;
    EACH(j, width) {
      const float a = x[j] - from[j], b = x1[j] - from[j], c = x2[j] - from[j], d = x3[j] - from[j];
      s[j] += (a + b) + (c + d);
      q[j] += (a * a + b * b) + (c * c + d * d);
    }
  }
  for (; i < lines; i++, x += width) EACH(j, width) {
      const float a = x[j] - from[j];
      s[j] += a;
      q[j] += a * a;
    }
}

template <int act>
INLINE void slopes_of(int64_t lines, int64_t width, const float* x, const float* from, const float* dy, const float* y, float* s,
                      float* q) {
  EACH(j, width) s[j] = q[j] = 0;
  int64_t i = 0;
  for (; i + 2 <= lines; i += 2, x += 2 * width, dy += 2 * width, y += 2 * width) {
    const float *x1 = x + width, *dy1 = dy + width, *y1 = y + width;
    EACH(j, width) {
      const float a = masked<act>(y[j], dy[j]), b = masked<act>(y1[j], dy1[j]);
      s[j] += a + b;
      q[j] += a * (x[j] - from[j]) + b * (x1[j] - from[j]);
    }
  }
  if (i < lines) EACH(j, width) {
      const float a = masked<act>(y[j], dy[j]);
      s[j] += a;
      q[j] += a * (x[j] - from[j]);
    }
}

// slopes sums dy' and dy'·(x-from) up, dy' being dy behind the activation whose result is y.
WIDE void slopes(int64_t lines, int64_t width, Act act, const float* x, const float* from, const float* dy, const float* y, float* s,
                 float* q) {
  switch (act) {
    case kNone: return slopes_of<kNone>(lines, width, x, from, dy, y, s, q);
    case kRelu: return slopes_of<kRelu>(lines, width, x, from, dy, y, s, q);
    case kRelu6: return slopes_of<kRelu6>(lines, width, x, from, dy, y, s, q);
  }
}

template <int act>
INLINE void affine_of(int64_t lines, int64_t width, const float* x, const float* a, const float* b, float* y) {
  for (int64_t i = 0; i < lines; i++, x += width, y += width) EACH(j, width) y[j] = activate<act>(x[j] * a[j] + b[j]);
}

// scale_lines is y = act(a·x + b).
WIDE void scale_lines(int64_t lines, int64_t width, Act act, const float* x, const float* a, const float* b, float* y) {
  switch (act) {
    case kNone: return affine_of<kNone>(lines, width, x, a, b, y);
    case kRelu: return affine_of<kRelu>(lines, width, x, a, b, y);
    case kRelu6: return affine_of<kRelu6>(lines, width, x, a, b, y);
  }
}

template <int act>
INLINE void back_of(int64_t lines, int64_t width, const float* x, const float* dy, const float* y, const float* a, const float* b,
                    const float* k, float* dx) {
  for (int64_t i = 0; i < lines; i++, x += width, dy += width, y += width, dx += width)
    EACH(j, width) dx[j] = a[j] * masked<act>(y[j], dy[j]) + (b[j] * x[j] + k[j]);
}

// back_lines is dx = a·dy' + b·x + k.
WIDE void back_lines(int64_t lines, int64_t width, Act act, const float* x, const float* dy, const float* y, const float* a,
                     const float* b, const float* k, float* dx) {
  switch (act) {
    case kNone: return back_of<kNone>(lines, width, x, dy, y, a, b, k, dx);
    case kRelu: return back_of<kRelu>(lines, width, x, dy, y, a, b, k, dx);
    case kRelu6: return back_of<kRelu6>(lines, width, x, dy, y, a, b, k, dx);
  }
}

WIDE void accumulate(int64_t n, const float* s, double* sum) { EACH(j, n) sum[j] += s[j]; }

}  // namespace

Norm::Norm(int64_t rows, int64_t c, double eps, Act act) : rows_(rows), c_(c), eps_(eps), act_(act) {
  const int64_t fold = std::max<int64_t>(1, std::min(rows, 256 / c));
  period_ = fold * c;
  lines_ = rows / fold;
  tail_ = rows % fold * c;
  parts_ = parts(rows * c, 1 << 13);
  a_.resize(period_), b_.resize(period_), k_.resize(period_), from_.resize(period_);
  sum_.resize(c), dot_.resize(c);
  part_.resize(2 * period_ * parts_);
  block_.resize(2 * period_ * parts_);
}

// spread repeats the numbers of the channels over a line.
void Norm::spread(std::vector<float>& v) {
  for (int64_t j = c_; j < period_; j++) v[j] = v[j - c_];
}

// blocks calls f(at, lines, width, part) for blocks of lines, at being where a block begins; the parts at the same time. Of each part
// the last block comes first: in the second pass it is the one that was read last, and still in the cache, if the passes go to
// and fro.
template <class F>
void Norm::blocks(bool to, const F& f) const {
  split(lines_, (int)parts_, 1, [&](int64_t begin, int64_t end, int part) {
    if (end == lines_ && tail_ > 0) f(lines_ * period_, 1, tail_, part);
    const int64_t count = (end - begin + kBlock - 1) / kBlock;
    for (int64_t i = 0; i < count; i++) {
      const int64_t line = begin + (to ? i : count - 1 - i) * kBlock;
      f(line * period_, std::min(kBlock, end - line), period_, part);
    }
  });
}

// sums fills sum_ and dot_ with Σ(x-from) and Σ(x-from)², or, where dy is given, with Σdy' and Σdy'·(x-from).
void Norm::sums(const float* x, const float* from, const float* dy, const float* y) {
  std::copy(from, from + c_, from_.begin());
  spread(from_);
  std::fill(part_.begin(), part_.end(), 0.0);
  blocks(true, [&](int64_t at, int64_t lines, int64_t width, int part) {
    float *s = &block_[2 * period_ * part], *q = s + period_;
    if (dy)
      slopes(lines, width, act_, x + at, from_.data(), dy + at, y + at, s, q);
    else
      moments(lines, width, x + at, from_.data(), s, q);
    accumulate(width, s, &part_[2 * period_ * part]);
    accumulate(width, q, &part_[2 * period_ * part + period_]);
  });
  std::fill(sum_.begin(), sum_.end(), 0.0);
  std::fill(dot_.begin(), dot_.end(), 0.0);
  for (int64_t part = 0; part < parts_; part++) {
    const double *sum = &part_[2 * period_ * part], *dot = sum + period_;
    for (int64_t j = 0; j < period_; j += c_)
      for (int64_t k = 0; k < c_; k++) sum_[k] += sum[j + k], dot_[k] += dot[j + k];
  }
}

// affine is y = act(a·x + b) with a_ and b_.
void Norm::affine(const float* x, float* y, Act act) {
  spread(a_), spread(b_);
  blocks(false, [&](int64_t at, int64_t lines, int64_t width, int) {
    scale_lines(lines, width, act, x + at, a_.data(), b_.data(), y + at);
  });
}

void Norm::forward(const float* x, const float* gamma, const float* beta, float* y, float* mean, float* var) {
  sums(x, x, nullptr, nullptr);  // from the first row, so that the squares are small beside what they are subtracted from
  for (int64_t k = 0; k < c_; k++) {
    const double off = sum_[k] / rows_, m = x[k] + off, square = dot_[k] / rows_ - off * off;
    const double v = square < 0 ? 0 : square, r = gamma[k] / sqrt(v + eps_);
    mean[k] = (float)m, var[k] = (float)v;
    a_[k] = (float)r, b_[k] = (float)(beta[k] - m * r);
  }
  affine(x, y, act_);
}

// backward: with x̂ = (x-μ)·r, r = 1/sqrt(σ²+ε), and M rows, dγ = Σdy'·x̂, dβ = Σdy' and
// dx = γ·r·(dy' - dβ/M - x̂·dγ/M) (Ioffe and Szegedy 2015, section 3), here as a·dy' + b·x + k.
void Norm::backward(const float* x, const float* gamma, const float* mean, const float* var, const float* dy, const float* y, float* dx,
                    float* dgamma, float* dbeta) {
  if (act_ == kNone) y = dy;
  sums(x, mean, dy, y);
  for (int64_t k = 0; k < c_; k++) {
    const double r = 1 / sqrt((double)var[k] + eps_), dg = dot_[k] * r, a = gamma[k] * r, b = -a * r * dg / rows_;
    dgamma[k] = (float)dg, dbeta[k] = (float)sum_[k];
    a_[k] = (float)a, b_[k] = (float)b, k_[k] = (float)(-a * sum_[k] / rows_ - b * mean[k]);
  }
  spread(a_), spread(b_), spread(k_);
  blocks(false, [&](int64_t at, int64_t lines, int64_t width, int) {
    back_lines(lines, width, act_, x + at, dy + at, y + at, a_.data(), b_.data(), k_.data(), dx + at);
  });
}

void Norm::infer(const float* x, const float* gamma, const float* beta, const float* mean, const float* var, float* y) {
  for (int64_t k = 0; k < c_; k++) {
    const double r = gamma[k] / sqrt((double)var[k] + eps_);
    a_[k] = (float)r, b_[k] = (float)(beta[k] - mean[k] * r);
  }
  affine(x, y, act_);
}

void Norm::infer_dx(const float* dy, const float* gamma, const float* var, float* dx) {
  for (int64_t k = 0; k < c_; k++) a_[k] = (float)(gamma[k] / sqrt((double)var[k] + eps_)), b_[k] = 0;
  affine(dy, dx, kNone);
}

void Norm::infer_gradients(const float* x, const float* dy, const float* mean, const float* var, float* dgamma, float* dbeta) {
  sums(x, mean, dy, dy);
  for (int64_t k = 0; k < c_; k++) dgamma[k] = (float)(dot_[k] / sqrt((double)var[k] + eps_)), dbeta[k] = (float)sum_[k];
}

}  // namespace gdn
