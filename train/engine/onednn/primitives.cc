//go:build cgo && !nonative

#include "primitives.h"

#include <float.h>
#include <string.h>

#include <algorithm>

#include "kernels.h"
#include "parallel.h"

namespace gdn {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using dnnl::primitive_attr;
using dnnl::prop_kind;
using Desc = memory::desc;
using Tag = memory::format_tag;

const auto kFloat = memory::data_type::f32, kBFloat16 = memory::data_type::bf16;

Desc desc(const memory::dims& dims, Tag tag) { return Desc(dims, kFloat, tag); }

// options make a primitive use the scratchpad that it is given, and join a ReLU to it. The slope below 0 is the smallest number
// there is, so that a product with it is as good as 0: a slope of 0 would make 0 of NaN, and a network that has gone wrong would
// look sound.
primitive_attr options(Act act) {
  primitive_attr a;
  a.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (act == kRelu) {
    dnnl::post_ops ops;
    ops.append_eltwise(1, algorithm::eltwise_relu, FLT_MIN, 0);
    a.set_post_ops(ops);
  }
  return a;
}

// ConvDescs are a convolution's arrays as oneDNN sees them: sizes in the order N C H W, whatever the order in memory. The factors
// in, out and any, which are x, y and w in an order that oneDNN chooses, have the type that it multiplies in.
struct ConvDescs {
  Desc x, y, b, w, in, out, any;
  memory::dims strides, dilates, before, behind;

  explicit ConvDescs(const ConvShape& s, memory::data_type type = kFloat) {
    x = desc({s.n, s.c, s.h, s.w}, Tag::nhwc);
    y = desc({s.n, s.k, s.oh, s.ow}, Tag::nhwc);
    in = Desc(x.dims(), type, Tag::nhwc);
    out = Desc(y.dims(), type, Tag::nhwc);
    b = desc({s.k}, Tag::x);
    const int64_t c = s.c / s.groups, k = s.k / s.groups;
    memory::dims size{k, c, s.kh, s.kw}, step{s.kh * s.kw * c, 1, s.kw * c, c};  // OHWI
    if (s.groups > 1) {
      size.insert(size.begin(), s.groups);
      step.insert(step.begin(), k * step[0]);
    }
    w = Desc(size, kFloat, step);
    any = Desc(size, type, Tag::any);
    strides = {s.sh, s.sw};
    dilates = {s.dh - 1, s.dw - 1};  // oneDNN counts what lies between two taps
    before = {s.top, s.left};
    behind = {s.bottom, s.right};
  }
};

// pointwise tells whether a convolution is a matrix product over all pixels.
bool pointwise(const ConvShape& s) {
  return s.kh == 1 && s.kw == 1 && s.sh == 1 && s.sw == 1 && s.groups == 1 && s.h == s.oh && s.w == s.ow;
}

const int64_t kFewRows = 256;

struct DenseDescs {
  Desc x, w, b, y, any, turned;
  DenseDescs(int64_t n, int64_t c, int64_t k) {
    x = desc({n, c}, Tag::nc);
    w = desc({k, c}, Tag::oi);
    b = desc({k}, Tag::x);
    y = desc({n, k}, Tag::nc);
    any = desc({k, c}, Tag::any);
    turned = desc({k, n}, Tag::nc);
  }
};

float* data(const memory& m) { return (float*)m.get_data_handle(); }

Desc pad_of(const dnnl::primitive_desc_base& pd) { return pd.query_md(dnnl::query::exec_arg_md, DNNL_ARG_SCRATCHPAD); }

// fast tells whether a primitive uses instructions that multiply bfloat16; others of oneDNN's do it in more steps than float32 takes.
bool fast(const dnnl::primitive_desc_base& pd) {
  const char* name = pd.impl_info_str();
  return strstr(name, "avx512_core_bf16") || strstr(name, "amx");
}

// type_of is what a convolution multiplies in: bfloat16 where that is wanted and the primitive that make makes for it is fast.
template <class F>
memory::data_type type_of(bool bfloat16, const F& make) {
  if (!bfloat16) return kFloat;
  try {
    return fast(make(kBFloat16)) ? kBFloat16 : kFloat;
  } catch (const dnnl::error&) {
    return kFloat;
  }
}

// gains tells whether bfloat16 makes a convolution faster by more than the conversions cost: where windows read each number often,
// and pixels share the weights. Of ResNet-50 with all of its convolutions in bfloat16, a step of 8 pictures took a fifth longer.
bool gains(const ConvShape& s) { return s.groups == 1 && s.kh * s.kw > 1 && s.n * s.oh * s.ow >= 1024; }

size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

// OneThread makes oneDNN make its primitives for one thread, as long as it lives.
struct OneThread {
  const int before = pool.threads();
  OneThread() { set_threads(1); }
  ~OneThread() { set_threads(before); }
};

// behind adds an activation that could not be joined.
Step behind(Step step, Act act, int64_t n, float* y) {
  if (act != kRelu6) return step;
  return [=] {
    step();
    gdn::act(n, act, y, y);
  };
}

// after is first and then second; there may be no first.
Step after(const Step& first, const Step& second) {
  if (!first) return second;
  return [=] {
    first();
    second();
  };
}

}  // namespace

Primitives::Primitives(bool bfloat16) : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
  const ConvShape usual{1, 8, 8, 64, 64, 8, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1};
  bfloat16_ = type_of(bfloat16, [&](Type t) { return conv_forward(usual, false, kNone, t); }) == kBFloat16;
}

// lend is a memory object that gets its memory from share, from bytes into the block.
memory Primitives::lend(Block& b, const Desc& d, size_t from) {
  b.objects.push_back({memory(d, engine_, nullptr), from});
  b.size = std::max(b.size, from + aligned(d.get_size()));
  return b.objects.back().first;
}

void Primitives::share(char* memory) {
  for (auto& o : weights_.objects) o.first.set_data_handle(memory + o.second);
  for (auto& o : pads_.objects) o.first.set_data_handle(memory + weights_.size + o.second);
  for (auto& o : narrow_.objects) o.first.set_data_handle(memory + weights_.size + pads_.size + o.second);
}

// call is a step that runs a primitive with its arguments.
Step Primitives::call(const dnnl::primitive_desc_base& pd, Args args, size_t pad_from) {
  if (pad_of(pd).get_size() > 0) args.push_back({DNNL_ARG_SCRATCHPAD, lend(pads_, pad_of(pd), pad_from)});
  std::vector<dnnl_exec_arg_t> raw;
  for (const auto& a : args) raw.push_back({a.first, a.second.get()});
  const dnnl::primitive p(pd.get());
  return [this, p, args, raw] {
    dnnl::error::wrap_c_api(dnnl::dnnl_primitive_execute(p.get(), stream_.get(), (int)raw.size(), raw.data()), "could not run a primitive");
  };
}

Step Primitives::reorder(const memory& from, const memory& to) {
  return call(dnnl::reorder::primitive_desc(from, to), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
}

// factor is what a primitive reads of the numbers at from: these themselves where it multiplies in float32, or else a bfloat16 copy at
// byte place of the block for those, which the step prepare makes.
memory Primitives::factor(const Desc& have, const Desc& want, float* from, size_t place, Step* prepare) {
  if (have == want) return at(have, from);
  const memory to = lend(narrow_, want, place);
  *prepare = after(*prepare, reorder(at(have, from), to));
  return to;
}

// with_weights is the step that make makes of a memory object with the weights in the wanted order, and if that is not the order
// they have, a step before it that puts them there.
Step Primitives::with_weights(const Desc& have, const Desc& want, float* w, const std::function<Step(const memory&)>& make) {
  if (have == want) return make(at(have, w));
  const memory to = lend(weights_, want);
  return after(reorder(at(have, w), to), make(to));
}

// conv_forward chooses the forward primitive. What oneDNN likes best on AVX-512 takes weights in stripes of 48 or 64 outputs, and to
// put big weights into that order costs more than it gains over stripes of 16.
dnnl::convolution_forward::primitive_desc Primitives::conv_forward(const ConvShape& s, bool bias, Act act, Type type) {
  const ConvDescs d(s, type);
  const auto make = [&](const Desc& w) {
    using F = dnnl::convolution_forward;
    const auto kind = prop_kind::forward_training;
    const auto direct = algorithm::convolution_direct;
    const F::desc f = bias ? F::desc(kind, direct, d.in, w, d.b, d.y, d.strides, d.dilates, d.before, d.behind)
                           : F::desc(kind, direct, d.in, w, d.y, d.strides, d.dilates, d.before, d.behind);
    return F::primitive_desc(f, options(act), engine_);
  };
  auto best = make(d.any);
  if (type == kFloat && s.groups == 1 && s.c % 16 == 0 && s.k % 16 == 0 && s.k * s.c * s.kh * s.kw >= 1 << 18 &&
      strstr(best.impl_info_str(), "avx512")) {
    const auto stripes = make(Desc(d.any.dims(), kFloat, Tag::OIhw16i16o));
    if (!strncmp(stripes.impl_info_str(), "jit", 3)) best = stripes;
  }
  return best;
}

Step Primitives::conv(const ConvShape& s, Act act, float* x, float* w, float* b, float* y) {
  const auto make = [&](Type t) { return conv_forward(s, b != nullptr, act, t); };
  const Type type = type_of(bfloat16_ && gains(s), make);
  const ConvDescs d(s, type);
  const auto pd = make(type);
  Step prepare;
  const memory in = factor(d.x, d.in, x, 0, &prepare);
  const Step step = with_weights(d.w, pd.weights_desc(), w, [&](const memory& weights) {
    Args args{{DNNL_ARG_SRC, in}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, at(d.y, y)}};
    if (b) args.push_back({DNNL_ARG_BIAS, at(d.b, b)});
    return call(pd, args);
  });
  return after(prepare, behind(step, act, s.n * s.oh * s.ow * s.k, y));
}

dnnl::convolution_backward_data::primitive_desc Primitives::conv_data(const ConvShape& s, Type type) {
  const ConvDescs d(s, type);
  using B = dnnl::convolution_backward_data;
  return B::primitive_desc(B::desc(algorithm::convolution_direct, d.x, d.any, d.out, d.strides, d.dilates, d.before, d.behind),
                           options(kNone), engine_, conv_forward(s, false, kNone, type));
}

// conv_dx: pointwise convolutions are dense layers here, whose matrix product takes the weights as they are.
Step Primitives::conv_dx(const ConvShape& s, float* dy, float* w, float* dx) {
  const auto make = [&](Type t) { return conv_data(s, t); };
  const Type type = type_of(bfloat16_ && gains(s), make);
  if (pointwise(s)) return dense_dx(s.n * s.h * s.w, s.c, s.k, dy, w, dx);
  const ConvDescs d(s, type);
  const auto pd = make(type);
  Step prepare;
  const memory out = factor(d.y, d.out, dy, 0, &prepare);
  return after(prepare, with_weights(d.w, pd.weights_desc(), w, [&](const memory& weights) {
                 return call(pd, {{DNNL_ARG_DIFF_DST, out}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DIFF_SRC, at(d.x, dx)}});
               }));
}

dnnl::convolution_backward_weights::primitive_desc Primitives::conv_weights(const ConvShape& s, bool bias, Type type) {
  const ConvDescs d(s, type);
  using B = dnnl::convolution_backward_weights;
  const auto direct = algorithm::convolution_direct;
  const Desc any(d.any.dims(), kFloat, Tag::any);
  const B::desc b = bias ? B::desc(direct, d.in, any, d.b, d.out, d.strides, d.dilates, d.before, d.behind)
                         : B::desc(direct, d.in, any, d.out, d.strides, d.dilates, d.before, d.behind);
  return B::primitive_desc(b, options(kNone), engine_, conv_forward(s, bias, kNone, type));
}

Step Primitives::conv_dw(const ConvShape& s, float* x, float* dy, float* dw, float* db) {
  const Type type = type_of(bfloat16_ && gains(s), [&](Type t) { return conv_weights(s, db != nullptr, t); });
  if (pointwise(s)) return dense_dw(s.n * s.h * s.w, s.c, s.k, x, dy, dw, db);
  const int threads = pool.threads();
  if (threads > 1 && s.n * s.oh * s.ow >= 1024 * threads && (s.n % threads == 0 || s.n >= 8 * threads))
    return conv_dw_parts(s, threads, type, x, dy, dw, db);
  const ConvDescs d(s, type);
  const auto pd = conv_weights(s, db != nullptr, type);
  const bool moves = pd.diff_weights_desc() != d.w;
  const memory result = at(d.w, dw), made = moves ? lend(weights_, pd.diff_weights_desc()) : result;
  Step prepare;
  const memory in = factor(d.x, d.in, x, 0, &prepare), out = factor(d.y, d.out, dy, aligned(d.in.get_size()), &prepare);
  Args args{{DNNL_ARG_SRC, in}, {DNNL_ARG_DIFF_DST, out}, {DNNL_ARG_DIFF_WEIGHTS, made}};
  if (db) args.push_back({DNNL_ARG_DIFF_BIAS, at(d.b, db)});
  const Step run = after(prepare, call(pd, args));
  return moves ? after(run, reorder(made, result)) : run;
}

// conv_dw_parts gives each thread some of the pictures and adds up what they make. oneDNN does the same where there are many pixels
// for few weights, but its threads then wait for each other in a loop: on a processor that others use as well, the one that runs
// spins away the time that the one that it waits for would need.
Step Primitives::conv_dw_parts(const ConvShape& s, int count, Type type, float* x, float* dy, float* dw, float* db) {
  const OneThread one;
  std::vector<Step> runs;
  std::vector<memory> made, bias;
  size_t weights_from = 0, pads_from = 0, narrow_from = 0;
  const ConvDescs all(s);
  for (int64_t i = 0; i < count; i++) {
    const int64_t from = s.n * i / count, to = s.n * (i + 1) / count;
    ConvShape part = s;
    part.n = to - from;
    const ConvDescs d(part, type);
    const auto pd = conv_weights(part, db != nullptr, type);
    made.push_back(lend(weights_, pd.diff_weights_desc(), weights_from));
    weights_from += aligned(made.back().get_desc().get_size());
    Step prepare;
    const memory in = factor(d.x, d.in, x + from * s.h * s.w * s.c, narrow_from, &prepare);
    narrow_from += aligned(d.in.get_size());
    const memory out = factor(d.y, d.out, dy + from * s.oh * s.ow * s.k, narrow_from, &prepare);
    narrow_from += aligned(d.out.get_size());
    Args args{{DNNL_ARG_SRC, in}, {DNNL_ARG_DIFF_DST, out}, {DNNL_ARG_DIFF_WEIGHTS, made.back()}};
    if (db) {
      bias.push_back(lend(weights_, d.b, weights_from));
      weights_from += aligned(d.b.get_size());
      args.push_back({DNNL_ARG_DIFF_BIAS, bias.back()});
    }
    runs.push_back(after(prepare, call(pd, args, pads_from)));
    pads_from += aligned(pad_of(pd).get_size());
  }
  const Step move = reorder(made[0], at(all.w, dw));
  const int64_t size = (int64_t)(made[0].get_desc().get_size() / sizeof(float));
  return [=] {
    split(count, count, 1, [&](int64_t i, int64_t end, int) {
      for (; i < end; i++) runs[i]();
    });
    for (int i = 1; i < count; i++) add(size, kNone, data(made[0]), data(made[i]), data(made[0]));
    move();
    if (!db) return;
    memcpy(db, data(bias[0]), s.k * sizeof(float));
    for (int i = 1; i < count; i++) add(s.k, kNone, db, data(bias[i]), db);
  };
}

// dense: for few rows, yᵀ = w·xᵀ is computed and turned round, since oneDNN's matrix product is up to four times as fast with the long
// factor first, and takes the weights as they are. For many rows it has kernels that are faster with weights in another order;
// above 64 MB the copy would cost as much time as it gains, and the memory.
Step Primitives::dense(int64_t n, int64_t c, int64_t k, Act act, float* x, float* w, float* b, float* y) {
  const DenseDescs d(n, c, k);
  if (n <= kFewRows) {
    const memory turned = lend(weights_, d.turned);
    return [=] {
      dnnl::error::wrap_c_api(dnnl::dnnl_sgemm('N', 'T', k, n, c, 1, w, c, x, c, 0, data(turned), n), "could not multiply matrices");
      turn(n, k, act, data(turned), b, y);
    };
  }
  using F = dnnl::inner_product_forward;
  const Desc& weights = k * c > 1 << 24 ? d.w : d.any;
  const auto kind = prop_kind::forward_training;
  const F::desc f = b ? F::desc(kind, d.x, weights, d.b, d.y) : F::desc(kind, d.x, weights, d.y);
  const F::primitive_desc pd(f, options(act), engine_);
  const Step step = with_weights(d.w, pd.weights_desc(), w, [&](const memory& m) {
    Args args{{DNNL_ARG_SRC, at(d.x, x)}, {DNNL_ARG_WEIGHTS, m}, {DNNL_ARG_DST, at(d.y, y)}};
    if (b) args.push_back({DNNL_ARG_BIAS, at(d.b, b)});
    return call(pd, args);
  });
  return behind(step, act, n * k, y);
}

Step Primitives::dense_dx(int64_t n, int64_t c, int64_t k, float* dy, float* w, float* dx) {
  const DenseDescs d(n, c, k);
  const dnnl::inner_product_forward::primitive_desc f({prop_kind::forward_training, d.x, d.w, d.y}, options(kNone), engine_);
  const dnnl::inner_product_backward_data::primitive_desc pd({d.x, d.w, d.y}, options(kNone), engine_, f);
  return call(pd, {{DNNL_ARG_DIFF_DST, at(d.y, dy)}, {DNNL_ARG_WEIGHTS, at(d.w, w)}, {DNNL_ARG_DIFF_SRC, at(d.x, dx)}});
}

Step Primitives::dense_dw(int64_t n, int64_t c, int64_t k, float* x, float* dy, float* dw, float* db) {
  const DenseDescs d(n, c, k);
  const dnnl::inner_product_forward::primitive_desc f({prop_kind::forward_training, d.x, d.w, d.y}, options(kNone), engine_);
  using B = dnnl::inner_product_backward_weights;
  const B::primitive_desc pd(db ? B::desc(d.x, d.w, d.b, d.y) : B::desc(d.x, d.w, d.y), options(kNone), engine_, f);
  Args args{{DNNL_ARG_SRC, at(d.x, x)}, {DNNL_ARG_DIFF_DST, at(d.y, dy)}, {DNNL_ARG_DIFF_WEIGHTS, at(d.w, dw)}};
  if (db) args.push_back({DNNL_ARG_DIFF_BIAS, at(d.b, db)});
  return call(pd, args);
}

}  // namespace gdn
