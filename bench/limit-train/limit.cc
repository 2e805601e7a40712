// limit is the bare loop that the training engine is measured against: the same networks as in bench/train/cases.go, the same
// batches and the same optimiser, with oneDNN called directly and the kernels of train/engine/onednn for everything else. There
// is no graph, no plan and no Go: each layer has arrays of its own, and a step is a function that reads top to bottom. The
// oneDNN calls are those that were found to be the fastest on AVX-512: convolutions with weights put into the primitive's order
// before each use, pointwise gradients as matrix products.
//
//   limit cnn-small|block
//
// It reads numbers of training steps from standard input, one a line, and answers each with one line of JSON: images, seconds,
// cpu_ms (of the process, all threads), peak_rss_mb.
#include <omp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "kernels.h"
#include "oneapi/dnnl/dnnl.hpp"
#include "parallel.h"

extern "C" void GOMP_parallel(void (*)(void*), void*, unsigned, unsigned);

gdn::Pool gdn::pool{GOMP_parallel, omp_get_thread_num, omp_get_num_threads, omp_get_max_threads};

namespace {

using dnnl::algorithm;
using dnnl::memory;
using dnnl::prop_kind;
using Tag = memory::format_tag;
using Args = std::unordered_map<int, memory>;

const int kThreads = 2;

dnnl::engine engine(dnnl::engine::kind::cpu, 0);
dnnl::stream stream(engine);

memory::desc desc(const memory::dims& dims, Tag tag) { return memory::desc(dims, memory::data_type::f32, tag); }

// array is zeroed memory at a multiple of 64 bytes, in big pages where there are, as the engine's.
float* array(int64_t n) {
  const size_t page = n < 1 << 18 ? 64 : 2 << 20, size = (n * sizeof(float) + page - 1) / page * page;
  void* p = aligned_alloc(page, size);
  if (page > 64) madvise(p, size, MADV_HUGEPAGE);
  memset(p, 0, size);
  return (float*)p;
}

float* random_array(int64_t n, float scale) {
  float* p = array(n);
  for (int64_t i = 0; i < n; i++) p[i] = scale * ((float)(rand() % 2001 - 1000) / 1000);
  return p;
}

// Param is a parameter with its gradient and Adam's moments.
struct Param {
  int64_t n;
  float *w, *g, *m, *v;
};
std::vector<Param> params;

Param param(int64_t n, float scale, float fill = 0) {
  params.push_back({n, random_array(n, scale), array(n), array(n), array(n)});
  for (int64_t i = 0; i < n && fill != 0; i++) params.back().w[i] = fill;
  return params.back();
}

void adam(int t) {
  const gdn::UpdateRule rule{1, 0, 0, 0.9f, 0.999f, 0.1f, 0.001f, 1e-8f, false, false};
  const float c1 = 1 / (1 - std::pow(0.9f, (float)t)), c2 = 1 / (1 - std::pow(0.999f, (float)t));
  for (const Param& p : params) gdn::adam(p.n, rule, 1e-3f, c1, c2, 1, p.w, p.g, p.m, p.v);
}

// Weights are in one order in p and in another for a primitive.
struct Weights {
  memory outer, inner;
  dnnl::reorder move;
  bool same;
  Weights(const memory::desc& have, const memory::desc& want, float* p, bool out) : outer(have, engine, p), inner(outer), same(have == want) {
    if (same) return;
    inner = memory(want, engine);
    move = out ? dnnl::reorder(inner, outer) : dnnl::reorder(outer, inner);
  }
  memory& in() {
    if (!same) move.execute(stream, outer, inner);
    return inner;
  }
  void out() {
    if (!same) move.execute(stream, inner, outer);
  }
};

// Dense is y = act(x·wᵀ + b) over n rows, computed as the engine does: yᵀ = w·xᵀ, turned round. Its gradients are those of a
// pointwise convolution as well, over all pixels, without a bias.
struct Dense {
  int64_t n, c, k;
  gdn::Act act;
  float *x, *w, *b, *turned, *y, *dy;
  dnnl::primitive data_, weights_;
  Args data_args, weights_args;

  Dense(int64_t n, int64_t c, int64_t k, gdn::Act act, float* x, const Param& w, const Param* b, float* y, float* dy, float* dx)
      : n(n), c(c), k(k), act(act), x(x), w(w.w), b(b ? b->w : nullptr), turned(b ? array(n * k) : nullptr), y(y), dy(dy) {
    const auto xd = desc({n, c}, Tag::nc), wd = desc({k, c}, Tag::oi), yd = desc({n, k}, Tag::nc), bd = desc({k}, Tag::x);
    const auto training = prop_kind::forward_training;
    const auto at = [](const memory::desc& d, float* p) { return memory(d, engine, p); };
    using F = dnnl::inner_product_forward;
    using D = dnnl::inner_product_backward_data;
    using W = dnnl::inner_product_backward_weights;
    const F::primitive_desc hint(b ? F::desc(training, xd, wd, bd, yd) : F::desc(training, xd, wd, yd), engine);
    data_ = D(D::primitive_desc({xd, wd, yd}, engine, hint));
    data_args = {{DNNL_ARG_DIFF_DST, at(yd, dy)}, {DNNL_ARG_WEIGHTS, at(wd, w.w)}, {DNNL_ARG_DIFF_SRC, at(xd, dx)}};
    weights_ = W(W::primitive_desc(b ? W::desc(xd, wd, bd, yd) : W::desc(xd, wd, yd), engine, hint));
    weights_args = {{DNNL_ARG_SRC, at(xd, x)}, {DNNL_ARG_DIFF_DST, at(yd, dy)}, {DNNL_ARG_DIFF_WEIGHTS, at(wd, w.g)}};
    if (b) weights_args[DNNL_ARG_DIFF_BIAS] = at(bd, b->g);
  }
  void forward() {
    dnnl::sgemm('N', 'T', k, n, c, 1, w, c, x, c, 0, turned, n);
    gdn::turn(n, k, act, turned, b, y);
  }
  void backward() {
    if (act != gdn::kNone) gdn::act_dx(n * k, act, y, dy, dy);
    weights_.execute(stream, weights_args);
    data_.execute(stream, data_args);
  }
};

// Conv is a convolution of pictures [n h h c] with k kernels of r×r, padded by r/2. ReLU is joined if relu.
struct Conv {
  int64_t n, h, c, k, oh;
  float *y, *dy;
  dnnl::primitive forward_, data_, weights_;
  Args forward_args, data_args, weights_args;
  std::unique_ptr<Weights> w_, wd_, dw_;
  std::unique_ptr<Dense> pointwise;

  Conv(int64_t n, int64_t h, int64_t c, int64_t k, int64_t r, int64_t stride, float* x, float* dx, bool bias, bool relu)
      : n(n), h(h), c(c), k(k), oh((h + 2 * (r / 2) - r) / stride + 1) {
    y = array(n * oh * oh * k);
    dy = array(n * oh * oh * k);
    const Param w = param(k * r * r * c, std::sqrt(6.0f / (float)(r * r * c))), b = bias ? param(k, 0) : Param{};
    const auto xd = desc({n, c, h, h}, Tag::nhwc), yd = desc({n, k, oh, oh}, Tag::nhwc), bd = desc({k}, Tag::x);
    const auto wd = desc({k, c, r, r}, Tag::ohwi), any = desc({k, c, r, r}, Tag::any);
    const memory::dims s{stride, stride}, p{r / 2, r / 2};
    const auto at = [](const memory::desc& d, float* p) { return memory(d, engine, p); };
    using F = dnnl::convolution_forward;
    using D = dnnl::convolution_backward_data;
    using W = dnnl::convolution_backward_weights;
    const auto direct = algorithm::convolution_direct;
    const auto training = prop_kind::forward_training;
    dnnl::primitive_attr attr;
    if (relu) {
      dnnl::post_ops ops;
      ops.append_eltwise(1, algorithm::eltwise_relu, 0, 0);
      attr.set_post_ops(ops);
    }
    const F::primitive_desc f(bias ? F::desc(training, direct, xd, any, bd, yd, s, p, p) : F::desc(training, direct, xd, any, yd, s, p, p), attr,
                              engine);
    forward_ = F(f);
    w_ = std::make_unique<Weights>(wd, f.weights_desc(), w.w, false);
    forward_args = {{DNNL_ARG_SRC, at(xd, x)}, {DNNL_ARG_WEIGHTS, w_->inner}, {DNNL_ARG_DST, at(yd, y)}};
    if (bias) forward_args[DNNL_ARG_BIAS] = at(bd, b.w);
    if (r == 1 && stride == 1) {
      pointwise = std::make_unique<Dense>(n * h * h, c, k, gdn::kNone, x, w, nullptr, y, dy, dx);
      return;
    }
    const W::primitive_desc dw(bias ? W::desc(direct, xd, any, bd, yd, s, p, p) : W::desc(direct, xd, any, yd, s, p, p), engine, f);
    weights_ = W(dw);
    dw_ = std::make_unique<Weights>(wd, dw.diff_weights_desc(), w.g, true);
    weights_args = {{DNNL_ARG_SRC, at(xd, x)}, {DNNL_ARG_DIFF_DST, at(yd, dy)}, {DNNL_ARG_DIFF_WEIGHTS, dw_->inner}};
    if (bias) weights_args[DNNL_ARG_DIFF_BIAS] = at(bd, b.g);
    if (!dx) return;
    const D::primitive_desc d(D::desc(direct, xd, any, yd, s, p, p), engine, f);
    data_ = D(d);
    wd_ = std::make_unique<Weights>(wd, d.weights_desc(), w.w, false);
    data_args = {{DNNL_ARG_DIFF_DST, at(yd, dy)}, {DNNL_ARG_WEIGHTS, wd_->inner}, {DNNL_ARG_DIFF_SRC, at(xd, dx)}};
  }
  void forward() {
    w_->in();
    forward_.execute(stream, forward_args);
  }
  void backward() {
    if (pointwise) return pointwise->backward();
    weights_.execute(stream, weights_args);
    dw_->out();
    if (!data_) return;
    wd_->in();
    data_.execute(stream, data_args);
  }
};

// Normed is a convolution with a batch norm and, if wanted, a ReLU. z is the result, dz its gradient.
struct Normed {
  Conv conv;
  gdn::Norm norm;
  Param gamma, beta;
  gdn::Act act;
  float *z, *dz, *mean, *var, *running;
  Normed(int64_t n, int64_t h, int64_t c, int64_t k, int64_t r, int64_t stride, float* x, float* dx, gdn::Act act)
      : conv(n, h, c, k, r, stride, x, dx, false, false),
        norm(n * conv.oh * conv.oh, k, 1e-5, act),
        gamma(param(k, 0, 1)),
        beta(param(k, 0)),
        act(act) {
    z = array(size()), dz = array(size());
    mean = array(k), var = array(k), running = array(2 * k);
  }
  int64_t size() const { return conv.n * conv.oh * conv.oh * conv.k; }
  void forward() {
    conv.forward();
    norm.forward(conv.y, gamma.w, beta.w, z, mean, var);
    gdn::lerp(conv.k, 0.1f, 1, running, mean, running);
    gdn::lerp(conv.k, 0.1f, 1, running + conv.k, var, running + conv.k);
  }
  void backward() { backward_from(dz); }
  void backward_from(const float* gradient) {
    norm.backward(conv.y, gamma.w, mean, var, gradient, z, conv.dy, gamma.g, beta.g);
    conv.backward();
  }
};

// Loss is softmax cross-entropy on fixed labels.
struct Loss {
  int64_t n, k;
  gdn::LossRule rule;
  float *labels, *p, *loss, *one;
  Loss(int64_t n, int64_t k) : n(n), k(k), labels(array(n * k)), p(array(n * k)), loss(array(1)), one(array(1)) {
    for (int64_t i = 0; i < n; i++) labels[i * k + i % k] = 1;
    *one = 1;
  }
  void run(const float* z, float* dz) {
    gdn::softmax_loss(n, k, rule, z, labels, loss, p);
    gdn::softmax_loss_dz(n, k, rule, p, labels, one, dz);
  }
};

// Net is a network's step: forward, backward; the optimiser comes after it.
struct Net {
  virtual ~Net() = default;
  virtual void step() = 0;
  int64_t batch = 0;
};

// CnnSmall is train/net's cnn-small.
struct CnnSmall : Net {
  static const int64_t N = 64, H = 28, C = 32, F = H / 2 * H / 2 * C;
  float *x = random_array(N * H * H, 1), *pooled = array(N * F), *dpooled = array(N * F), *h = array(N * 128), *dh = array(N * 128);
  float *z = array(N * 10), *dz = array(N * 10);
  Conv conv{N, H, 1, C, 3, 1, x, nullptr, true, true};
  Param w1 = param(F * 128, 0.02f), b1 = param(128, 0), w2 = param(1280, 0.1f), b2 = param(10, 0);
  Dense hidden{N, F, 128, gdn::kRelu, pooled, w1, &b1, h, dh, dpooled}, head{N, 128, 10, gdn::kNone, h, w2, &b2, z, dz, dh};
  gdn::PoolShape pool{N, H, H, C, H / 2, H / 2, 2, 2, 2, 2, 0, 0};
  Loss loss{N, 10};
  CnnSmall() { batch = N; }
  void step() override {
    conv.forward();
    gdn::max_pool(pool, conv.y, pooled);
    hidden.forward();
    head.forward();
    loss.run(z, dz);
    head.backward();
    hidden.backward();
    gdn::max_pool_dx(pool, conv.y, pooled, dpooled, conv.dy);
    gdn::act_dx(N * H * H * C, gdn::kRelu, conv.y, conv.dy, conv.dy);
    conv.backward();
  }
};

// Block is a ResNet's stem and three bottlenecks of 64, 64 and 256 channels, then a head.
struct Block : Net {
  static const int64_t N = 16, P = 32 * 32;
  float *x = random_array(N * 128 * 128 * 3, 1), *in = array(N * P * 64), *din = array(N * P * 64), *din2 = array(N * P * 64);
  Normed stem{N, 128, 3, 64, 7, 2, x, nullptr, gdn::kRelu};
  gdn::PoolShape pool{N, 64, 64, 64, 32, 32, 3, 3, 2, 2, 1, 1};
  std::vector<std::unique_ptr<Normed>> reduce, middle, expand;
  std::vector<float*> joined, djoined;
  std::unique_ptr<Normed> shortcut;
  float *features = array(N * 256), *dfeatures = array(N * 256), *z = array(N * 6), *dz = array(N * 6);
  std::unique_ptr<Dense> head;
  Loss loss{N, 6};

  Block() {
    batch = N;
    for (int i = 0; i < 3; i++) {
      float *from = i ? joined[i - 1] : in, *dfrom = i ? array(N * P * 256) : din;
      reduce.push_back(std::make_unique<Normed>(N, 32, i ? 256 : 64, 64, 1, 1, from, dfrom, gdn::kRelu));
      middle.push_back(std::make_unique<Normed>(N, 32, 64, 64, 3, 1, reduce[i]->z, reduce[i]->dz, gdn::kRelu));
      expand.push_back(std::make_unique<Normed>(N, 32, 64, 256, 1, 1, middle[i]->z, middle[i]->dz, gdn::kNone));
      joined.push_back(array(N * P * 256));
      djoined.push_back(array(N * P * 256));
      from_.push_back(dfrom);
    }
    shortcut = std::make_unique<Normed>(N, 32, 64, 256, 1, 1, in, din2, gdn::kNone);
    const Param w = param(256 * 6, 0.1f), b = param(6, 0);
    head = std::make_unique<Dense>(N, 256, 6, gdn::kNone, features, w, &b, z, dz, dfeatures);
  }
  void step() override {
    stem.forward();
    gdn::max_pool(pool, stem.z, in);
    for (int i = 0; i < 3; i++) {
      reduce[i]->forward();
      middle[i]->forward();
      expand[i]->forward();
      if (i == 0) shortcut->forward();
      gdn::add(N * P * 256, gdn::kRelu, expand[i]->z, i ? joined[i - 1] : shortcut->z, joined[i]);
    }
    gdn::global_pool(N, P, 256, joined[2], features);
    head->forward();
    loss.run(z, dz);
    head->backward();
    gdn::global_pool_dx(N, P, 256, dfeatures, djoined[2]);
    for (int i = 2; i >= 0; i--) {
      gdn::act_dx(N * P * 256, gdn::kRelu, joined[i], djoined[i], djoined[i]);
      expand[i]->backward_from(djoined[i]);
      middle[i]->backward();
      reduce[i]->backward();
      if (i > 0)
        gdn::add(N * P * 256, gdn::kNone, djoined[i], from_[i], djoined[i - 1]);
      else
        shortcut->backward_from(djoined[0]);
    }
    gdn::add(N * P * 64, gdn::kNone, din, din2, din);
    gdn::max_pool_dx(pool, stem.z, in, din, stem.dz);
    stem.backward();
  }

 private:
  std::vector<float*> from_;  // gradients of the blocks' inputs by their first convolutions
};

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double wall_seconds() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

}  // namespace

int main(int argc, char** argv) {
  omp_set_num_threads(kThreads);
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);  // as the engine: denormal numbers are 0
#endif
  std::unique_ptr<Net> net;
  if (argc == 2 && !strcmp(argv[1], "cnn-small")) net = std::make_unique<CnnSmall>();
  if (argc == 2 && !strcmp(argv[1], "block")) net = std::make_unique<Block>();
  if (!net) {
    fprintf(stderr, "usage: limit cnn-small|block\n");
    return 2;
  }
  int steps, t = 0;
  while (scanf("%d", &steps) == 1) {
    const double cpu = cpu_seconds(), wall = wall_seconds();
    for (int i = 0; i < steps; i++) {
      net->step();
      adam(++t);
    }
    rusage r;
    getrusage(RUSAGE_SELF, &r);
    printf("{\"images\": %lld, \"seconds\": %.6f, \"cpu_ms\": %.3f, \"peak_rss_mb\": %.1f}\n", (long long)(steps * net->batch),
           wall_seconds() - wall, (cpu_seconds() - cpu) * 1e3, (double)r.ru_maxrss / 1024);
    fflush(stdout);
  }
}
