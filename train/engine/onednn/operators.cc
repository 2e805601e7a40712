//go:build cgo && !nonative

#include "operators.h"

#include <math.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <unordered_map>

#include "kernels.h"

namespace gdn {
namespace {

// Spec is a step as the kernels read it, which keeps what they need between runs.
struct Spec {
  gdn_step s;
  std::string kind;
  std::vector<gdn_array> in, out;
  LossRule loss;
  UpdateRule update;
  std::unique_ptr<Norm> norm;

  explicit Spec(const gdn_step& step)
      : s(step), kind(step.kind), in(step.in, step.in + step.ins), out(step.out, step.out + step.outs) {
    if (s.weights) loss.weights.assign(s.weights, s.weights + in[0].last);
    loss.smoothing = s.smoothing, loss.gamma = s.gamma;
    update = {(float)s.rate,        (float)s.decay,       (float)s.momentum, (float)s.beta1,   (float)s.beta2,
              (float)(1 - s.beta1), (float)(1 - s.beta2), (float)s.epsilon,  s.decoupled != 0, s.nesterov != 0};
    if (kind.find("norm") != std::string::npos && kind != "grad_norm")
      norm = std::make_unique<Norm>(in[0].size / in[0].last, in[0].last, s.eps, act());
  }

  // The memory of input and result i; null where it is missing.
  float* x(size_t i) const { return i < in.size() ? in[i].at : nullptr; }
  float* y(size_t i) const { return i < out.size() ? out[i].at : nullptr; }
  // scalar is an optional input of one number.
  float scalar(size_t i, float absent) const { return i < in.size() ? *in[i].at : absent; }

  int64_t n() const { return out[0].size; }
  Act act() const { return (Act)s.act; }
  float top() const { return (float)(exp2(s.bits) - 1); }

  ConvShape conv(const gdn_array& x, const gdn_array& y) const {
    const int64_t *a = x.dim, *b = y.dim;
    return {a[0], a[1], a[2], a[3], b[3], b[1], b[2], s.kh, s.kw, s.sh, s.sw, s.dh, s.dw, s.top, s.left, s.bottom, s.right, s.groups};
  }
  PoolShape pool(const gdn_array& x, const gdn_array& y) const {
    const int64_t *a = x.dim, *b = y.dim;
    return {a[0], a[1], a[2], a[3], b[1], b[2], s.kh, s.kw, s.sh, s.sw, s.top, s.left};
  }
};

// concat copies the inputs side by side.
void concat(const Spec& s) {
  int64_t at = 0;
  for (const gdn_array& x : s.in) {
    columns(s.n() / s.out[0].last, x.last, x.at, x.last, s.y(0) + at, s.out[0].last);
    at += x.last;
  }
}

// grad_norm: the factor is the greatest norm, 0 for none.
void grad_norm(const Spec& s) {
  double sum = 0;
  for (const gdn_array& g : s.in) sum += sum_squares(g.size, g.at);
  const double norm = sqrt(sum);
  *s.y(0) = s.s.factor > 0 && norm > s.s.factor ? (float)(s.s.factor / norm) : 1;
  *s.y(1) = (float)norm;
}

// The operators of train/engine/op.go, with inputs and results in the order that is written there.
using Kernel = void (*)(const Spec&);
using Kernels = std::unordered_map<std::string, Kernel>;

Kernels layer_kernels() {
  return {
      {"batchnorm", [](const Spec& s) { s.norm->forward(s.x(0), s.x(1), s.x(2), s.y(0), s.y(1), s.y(2)); }},
      {"batchnorm_dx",
       [](const Spec& s) { s.norm->backward(s.x(0), s.x(1), s.x(2), s.x(3), s.x(4), s.x(5), s.y(0), s.y(1), s.y(2)); }},
      {"norm_infer", [](const Spec& s) { s.norm->infer(s.x(0), s.x(1), s.x(2), s.x(3), s.x(4), s.y(0)); }},
      {"norm_infer_dx", [](const Spec& s) { s.norm->infer_dx(s.x(0), s.x(1), s.x(2), s.y(0)); }},
      {"norm_infer_dp", [](const Spec& s) { s.norm->infer_gradients(s.x(0), s.x(1), s.x(2), s.x(3), s.y(0), s.y(1)); }},

      {"relu", [](const Spec& s) { act(s.n(), kRelu, s.x(0), s.y(0)); }},
      {"relu_dx", [](const Spec& s) { act_dx(s.n(), kRelu, s.x(0), s.x(1), s.y(0)); }},
      {"relu6", [](const Spec& s) { act(s.n(), kRelu6, s.x(0), s.y(0)); }},
      {"relu6_dx", [](const Spec& s) { act_dx(s.n(), kRelu6, s.x(0), s.x(1), s.y(0)); }},
      {"hswish", [](const Spec& s) { hswish(s.n(), s.x(0), s.y(0)); }},
      {"hswish_dx", [](const Spec& s) { hswish_dx(s.n(), s.x(0), s.x(1), s.y(0)); }},
      {"sigmoid", [](const Spec& s) { sigmoid(s.n(), s.x(0), s.y(0)); }},
      {"add", [](const Spec& s) { add(s.n(), s.act(), s.x(0), s.x(1), s.y(0)); }},
      {"scale", [](const Spec& s) { scale(s.n(), (float)s.s.factor, s.x(0), s.y(0)); }},
      {"dropout",
       [](const Spec& s) { dropout(s.n(), (float)s.s.rate, (float)(1 / (1 - s.s.rate)), s.s.seed, *s.x(1), s.x(0), s.y(0)); }},
      {"concat", concat},
      {"slice",
       [](const Spec& s) { columns(s.n() / s.out[0].last, s.out[0].last, s.x(0) + s.s.from, s.in[0].last, s.y(0), s.out[0].last); }},

      {"maxpool", [](const Spec& s) { max_pool(s.pool(s.in[0], s.out[0]), s.x(0), s.y(0)); }},
      {"maxpool_dx", [](const Spec& s) { max_pool_dx(s.pool(s.in[0], s.in[1]), s.x(0), s.x(1), s.x(2), s.y(0)); }},
      {"avgpool", [](const Spec& s) { avg_pool(s.pool(s.in[0], s.out[0]), s.x(0), s.y(0)); }},
      {"avgpool_dx", [](const Spec& s) { avg_pool_dx(s.pool(s.out[0], s.in[0]), s.x(0), s.y(0)); }},
      {"gap", [](const Spec& s) { global_pool(s.in[0].dim[0], s.in[0].dim[1] * s.in[0].dim[2], s.in[0].last, s.x(0), s.y(0)); }},
      {"gap_dx", [](const Spec& s) { global_pool_dx(s.out[0].dim[0], s.out[0].dim[1] * s.out[0].dim[2], s.out[0].last, s.x(0), s.y(0)); }},
      {"reshape", [](const Spec&) {}},
  };
}

Kernels training_kernels() {
  return {
      {"softmax", [](const Spec& s) { softmax(s.in[0].dim[0], s.in[0].last, s.x(0), s.y(0)); }},
      {"softmax_loss", [](const Spec& s) { softmax_loss(s.in[0].dim[0], s.in[0].last, s.loss, s.x(0), s.x(1), s.y(0), s.y(1)); }},
      {"softmax_loss_dz", [](const Spec& s) { softmax_loss_dz(s.in[0].dim[0], s.in[0].last, s.loss, s.x(0), s.x(1), s.x(2), s.y(0)); }},
      {"bce_loss", [](const Spec& s) { bce_loss(s.in[0].dim[0], s.in[0].last, s.loss, s.x(0), s.x(1), s.y(0), s.y(1)); }},
      {"bce_loss_dz", [](const Spec& s) { bce_loss_dz(s.in[0].dim[0], s.in[0].last, s.loss, s.x(0), s.x(1), s.x(2), s.y(0)); }},
      {"l2", [](const Spec& s) { l2(s.in[0].size, s.s.factor, s.x(0), s.x(1), s.y(0)); }},
      {"l2_dw", [](const Spec& s) { l2_dw(s.n(), (float)s.s.factor, s.x(0), s.x(1), s.x(2), s.y(0)); }},

      {"fake_quant", [](const Spec& s) { fake_quant(s.n(), s.top(), s.x(0), s.x(1), s.y(0)); }},
      {"fake_quant_dx", [](const Spec& s) { fake_quant_dx(s.n(), s.top(), s.x(0), s.x(1), s.x(2), s.y(0)); }},
      {"fake_quant_w",
       [](const Spec& s) {
         const int64_t rows = s.in[0].dim[0];
         fake_quant_w(rows, s.n() / rows, (float)(exp2(s.s.bits - 1) - 1), s.x(0), s.y(0));
       }},
      {"range", [](const Spec& s) { range(s.in[0].size, s.x(0), s.y(0)); }},

      {"grad_norm", grad_norm},
      {"sgd", [](const Spec& s) { sgd(s.n(), s.update, *s.x(3), s.scalar(4, 1), s.y(0), s.x(1), s.y(1)); }},
      {"adam",
       [](const Spec& s) {
         adam(s.n(), s.update, *s.x(4), *s.x(5), *s.x(6), s.scalar(7, 1), s.y(0), s.x(1), s.y(1), s.y(2));
       }},
      {"lerp", [](const Spec& s) { lerp(s.n(), s.scalar(2, (float)s.s.rate), (float)s.s.factor, s.x(0), s.x(1), s.y(0)); }},
  };
}

// primitive is the step of an operator that oneDNN computes; none for the others.
Step primitive(Primitives& p, const Spec& s) {
  const auto rows = [&] { return s.in[0].dim[0]; };
  if (s.kind == "conv2d") return p.conv(s.conv(s.in[0], s.out[0]), s.act(), s.x(0), s.x(1), s.x(2), s.y(0));
  if (s.kind == "conv2d_dx") return p.conv_dx(s.conv(s.out[0], s.in[0]), s.x(0), s.x(1), s.y(0));
  if (s.kind == "conv2d_dw") return p.conv_dw(s.conv(s.in[0], s.in[1]), s.x(0), s.x(1), s.y(0), s.y(1));
  if (s.kind == "dense") return p.dense(rows(), s.in[0].last, s.out[0].last, s.act(), s.x(0), s.x(1), s.x(2), s.y(0));
  if (s.kind == "dense_dx") return p.dense_dx(rows(), s.out[0].last, s.in[0].last, s.x(0), s.x(1), s.y(0));
  if (s.kind == "dense_dw") return p.dense_dw(rows(), s.in[0].last, s.in[1].last, s.x(0), s.x(1), s.y(0), s.y(1));
  return nullptr;
}

}  // namespace

Step make_step(Primitives& primitives, const gdn_step& step) {
  const auto s = std::make_shared<const Spec>(step);
  if (Step p = primitive(primitives, *s)) return p;
  static const Kernels layers = layer_kernels(), training = training_kernels();
  for (const Kernels* table : {&layers, &training}) {
    const auto k = table->find(s->kind);
    if (k != table->end()) return [s, run = k->second] { run(*s); };
  }
  throw std::invalid_argument("the CPU backend does not know this operator");
}

}  // namespace gdn
