// The kernels that are written here: what oneDNN does not have, or does in more passes over memory than it takes. They know nothing
// of plans or of oneDNN. Arrays are row-major, pictures NHWC; what each operator computes is in train/engine/op.go.
//
// A result may lie exactly where an input lies if engine.Plan lets it. Sums over a batch are of double precision, or of short
// stretches in single precision that are added up in double. For one number of threads, results are the same every time.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <vector>

#include "wide.h"

namespace gdn {

// Per element.
void act(int64_t n, Act a, const float* x, float* y);
void act_dx(int64_t n, Act a, const float* y, const float* dy, float* dx);
void hswish(int64_t n, const float* x, float* y);
void hswish_dx(int64_t n, const float* x, const float* dy, float* dx);
void sigmoid(int64_t n, const float* z, float* p);
void add(int64_t n, Act act, const float* a, const float* b, float* y);
void scale(int64_t n, float factor, const float* x, float* y);
void dropout(int64_t n, float rate, float keep, uint32_t seed, float step, const float* x, float* y);

// columns copies width columns of rows that are from and to numbers long.
void columns(int64_t rows, int64_t width, const float* src, int64_t from, float* dst, int64_t to);

// turn is y[n k] = act(t[k n] the other way round + b[k]); b may be null.
void turn(int64_t n, int64_t k, Act act, const float* t, const float* b, float* y);

// range is {min, max}. fake_quant sends x through the integers 0 to top that span = {lo, hi} sets, weights through ±most.
void range(int64_t n, const float* x, float* minmax);
void fake_quant(int64_t n, float top, const float* x, const float* span, float* y);
void fake_quant_dx(int64_t n, float top, const float* x, const float* span, const float* dy, float* dx);
void fake_quant_w(int64_t rows, int64_t width, float most, const float* w, float* y);

// Norm is a batch norm with its activation, over rows of c channels. An object serves one call at a time.
class Norm {
 public:
  Norm(int64_t rows, int64_t c, double eps, Act act);
  void forward(const float* x, const float* gamma, const float* beta, float* y, float* mean, float* var);
  void backward(const float* x, const float* gamma, const float* mean, const float* var, const float* dy, const float* y, float* dx,
                float* dgamma, float* dbeta);
  // With a running mean and variance. gradients are those of γ and β.
  void infer(const float* x, const float* gamma, const float* beta, const float* mean, const float* var, float* y);
  void infer_dx(const float* dy, const float* gamma, const float* var, float* dx);
  void infer_gradients(const float* x, const float* dy, const float* mean, const float* var, float* dgamma, float* dbeta);

 private:
  template <class F>
  void blocks(bool to, const F& f) const;
  void sums(const float* x, const float* from, const float* dy, const float* y);
  void affine(const float* x, float* y, Act act);
  void spread(std::vector<float>& v);

  int64_t rows_, c_, period_, lines_, tail_, parts_;
  double eps_;
  Act act_;
  std::vector<float> a_, b_, k_, from_;  // per element of a line
  std::vector<double> sum_, dot_;        // per channel
  std::vector<double> part_;             // sums of each part
  std::vector<float> block_;             // sums of each part's block
};

// PoolShape is a pooling's geometry. Padding never wins and is not counted.
struct PoolShape {
  int64_t n, h, w, c, oh, ow, kh, kw, sh, sw, top, left;
};
void max_pool(const PoolShape& p, const float* x, float* y);
void max_pool_dx(const PoolShape& p, const float* x, const float* y, const float* dy, float* dx);
void avg_pool(const PoolShape& p, const float* x, float* y);
void avg_pool_dx(const PoolShape& p, const float* dy, float* dx);
void global_pool(int64_t n, int64_t pixels, int64_t c, const float* x, float* y);
void global_pool_dx(int64_t n, int64_t pixels, int64_t c, const float* dy, float* dx);

// LossRule is engine.Loss: weights has k numbers or none.
struct LossRule {
  std::vector<float> weights;
  double smoothing = 0, gamma = 0;
};
void softmax(int64_t n, int64_t k, const float* z, float* p);
void softmax_loss(int64_t n, int64_t k, const LossRule& r, const float* z, const float* y, float* loss, float* p);
void softmax_loss_dz(int64_t n, int64_t k, const LossRule& r, const float* p, const float* y, const float* dloss, float* dz);
void bce_loss(int64_t n, int64_t k, const LossRule& r, const float* z, const float* y, float* loss, float* p);
void bce_loss_dz(int64_t n, int64_t k, const LossRule& r, const float* p, const float* y, const float* dloss, float* dz);
void l2(int64_t n, double factor, const float* w, const float* start, float* loss);
void l2_dw(int64_t n, float factor, const float* dloss, const float* w, const float* start, float* dw);

// sum_squares is Σx².
double sum_squares(int64_t n, const float* x);

// UpdateRule is engine.UpdateRule.
struct UpdateRule {
  float rate, decay, momentum, beta1, beta2, one_minus_beta1, one_minus_beta2, eps;
  bool decoupled, nesterov;
};
void sgd(int64_t n, const UpdateRule& r, float lr, float clip, float* w, const float* g, float* velocity);
void adam(int64_t n, const UpdateRule& r, float lr, float corr1, float corr2, float clip, float* w, const float* g, float* m, float* v);
void lerp(int64_t n, float rate, float factor, const float* a, const float* b, float* y);

}  // namespace gdn
