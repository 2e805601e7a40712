//go:build cgo && !nonative

// Losses and their gradients, in double precision: there are few of these numbers. The formulas are those of train/engine/op.go,
// worked out as in train/engine/ref/loss.go.
#include <math.h>

#include "kernels.h"
#include "parallel.h"

namespace gdn {
namespace {

// rows calls f(row) for the rows of an array, several at the same time where there is enough to do.
template <class F>
void rows(int64_t n, int64_t k, const F& f) {
  split(n, std::min<int>((int)n, parts(n * k, 1 << 10)), 1, [&](int64_t i, int64_t end, int) {
    for (; i < end; i++) f(i);
  });
}

// mean_of is the mean of f(row), summed in the order of the rows.
template <class F>
float mean_of(int64_t n, int64_t k, double count, const F& f) {
  std::vector<double> each(n);
  rows(n, k, [&](int64_t i) { each[i] = f(i); });
  double sum = 0;
  for (double v : each) sum += v;
  return (float)(sum / count);
}

double weight(const LossRule& r, int64_t k) { return r.weights.empty() ? 1 : r.weights[k]; }

double smooth(const LossRule& r, int64_t classes, double y) { return (1 - r.smoothing) * y + r.smoothing / (double)classes; }

// softmax_row returns log Σ exp(z).
double softmax_row(int64_t k, const float* z, float* p) {
  double top = z[0], sum = 0;
  for (int64_t j = 1; j < k; j++) top = z[j] > top || z[j] != z[j] ? z[j] : top;
  for (int64_t j = 0; j < k; j++) sum += exp(z[j] - top);
  const double log_sum = log(sum) + top;
  for (int64_t j = 0; j < k; j++) p[j] = (float)exp(z[j] - log_sum);
  return log_sum;
}

// focal_slope is p·f'(p) of f(p) = -(1-p)^γ·log p, with its limits at 0 and 1.
double focal_slope(double p, double gamma) {
  if (gamma == 0 || p <= 0) return -1;
  if (p >= 1) return 0;
  return gamma * p * pow(1 - p, gamma - 1) * log(p) - pow(1 - p, gamma);
}

}  // namespace

void softmax(int64_t n, int64_t k, const float* z, float* p) {
  rows(n, k, [=](int64_t i) { softmax_row(k, z + i * k, p + i * k); });
}

void softmax_loss(int64_t n, int64_t k, const LossRule& r, const float* z, const float* y, float* loss, float* p) {
  *loss = mean_of(n, k, (double)n, [&](int64_t i) {
    const float *zi = z + i * k, *yi = y + i * k;
    float* pi = p + i * k;
    const double log_sum = softmax_row(k, zi, pi);
    double sum = 0;
    for (int64_t j = 0; j < k; j++) {
      const double focus = r.gamma == 0 ? 1 : pow(1 - (double)pi[j], r.gamma);
      sum += weight(r, j) * smooth(r, k, yi[j]) * (log_sum - zi[j]) * focus;
    }
    return sum;
  });
}

// softmax_loss_dz: with a_k = w_k·y'_k·p_k·f'(p_k), the gradient of a row is (a_k - p_k·Σ a_j)/n·dloss.
void softmax_loss_dz(int64_t n, int64_t k, const LossRule& r, const float* p, const float* y, const float* dloss, float* dz) {
  const double share = *dloss / (double)n;
  rows(n, k, [&](int64_t i) {
    const auto slope = [&](int64_t j) { return weight(r, j) * smooth(r, k, y[i * k + j]) * focal_slope(p[i * k + j], r.gamma); };
    double sum = 0;
    for (int64_t j = 0; j < k; j++) sum += slope(j);
    for (int64_t j = 0; j < k; j++) dz[i * k + j] = (float)((slope(j) - p[i * k + j] * sum) * share);
  });
}

void bce_loss(int64_t n, int64_t k, const LossRule& r, const float* z, const float* y, float* loss, float* p) {
  *loss = mean_of(n, k, (double)(n * k), [&](int64_t i) {
    double sum = 0;
    for (int64_t j = 0; j < k; j++) {
      // -(y'·log p + (1-y')·log(1-p)) = max(z, 0) - z·y' + log(1 + exp(-|z|))
      const double v = z[i * k + j], e = exp(-fabs(v));
      sum += weight(r, j) * ((v < 0 ? 0 : v) - v * smooth(r, k, y[i * k + j]) + log1p(e));
      p[i * k + j] = (float)(v >= 0 ? 1 / (1 + e) : e / (1 + e));
    }
    return sum;
  });
}

void bce_loss_dz(int64_t n, int64_t k, const LossRule& r, const float* p, const float* y, const float* dloss, float* dz) {
  const double share = *dloss / (double)(n * k);
  rows(n, k, [&](int64_t i) {
    for (int64_t j = 0; j < k; j++) {
      const int64_t at = i * k + j;
      dz[at] = (float)(share * weight(r, j) * (p[at] - smooth(r, k, y[at])));
    }
  });
}

}  // namespace gdn
