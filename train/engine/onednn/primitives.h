// Convolutions and dense layers, which oneDNN computes.
#pragma once
#include <stdint.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "library.h"
#include "oneapi/dnnl/dnnl.hpp"
#include "wide.h"

namespace gdn {

// ConvShape is a convolution: pictures [n h w c] → [n oh ow k] with weights [k kh kw c/groups].
struct ConvShape {
  int64_t n, h, w, c, k, oh, ow, kh, kw, sh, sw, dh, dw, top, left, bottom, right, groups;
};

using Step = std::function<void()>;

// Primitives makes oneDNN's primitives for memory that does not move, as steps to run. What they need besides, scratchpads and
// weights in another order, is one block of memory that they use in turn: share gives it to them once all are made. A shape
// that oneDNN refuses is an exception.
class Primitives {
 public:
  // Where bfloat16 is true and the processor has instructions for it, convolutions multiply numbers rounded to bfloat16, 8 bits of
  // mantissa, and add them up in float32; all that lies in memory stays float32.
  explicit Primitives(bool bfloat16);

  // bfloat16 tells whether convolutions of a usual shape multiply so.
  bool bfloat16() const { return bfloat16_; }

  // A bias of null is none.
  Step conv(const ConvShape& s, Act act, float* x, float* w, float* b, float* y);
  Step conv_dx(const ConvShape& s, float* dy, float* w, float* dx);
  Step conv_dw(const ConvShape& s, float* x, float* dy, float* dw, float* db);
  Step dense(int64_t n, int64_t c, int64_t k, Act act, float* x, float* w, float* b, float* y);
  Step dense_dx(int64_t n, int64_t c, int64_t k, float* dy, float* w, float* dx);
  Step dense_dw(int64_t n, int64_t c, int64_t k, float* x, float* dy, float* dw, float* db);

  // scratch is the size of the shared memory in bytes; share gives it, aligned to 64 bytes.
  size_t scratch() const { return weights_.size + pads_.size + narrow_.size; }
  void share(char* memory);

 private:
  using Desc = dnnl::memory::desc;
  using Args = std::vector<std::pair<int, dnnl::memory>>;
  using Type = dnnl::memory::data_type;
  // Block is a part of the shared memory: one for weights, one for scratchpads, one for bfloat16 numbers. Objects that are used one
  // after the other have the same place in it.
  struct Block {
    size_t size = 0;
    std::vector<std::pair<dnnl::memory, size_t>> objects;  // and where they begin
  };

  dnnl::memory at(const Desc& d, float* p) { return dnnl::memory(d, engine_, p); }
  dnnl::memory lend(Block& b, const Desc& d, size_t from = 0);
  Step call(const dnnl::primitive_desc_base& pd, Args args, size_t pad_from = 0);
  Step reorder(const dnnl::memory& from, const dnnl::memory& to);
  Step with_weights(const Desc& have, const Desc& want, float* w, const std::function<Step(const dnnl::memory&)>& make);
  dnnl::memory factor(const Desc& have, const Desc& want, float* from, size_t place, Step* prepare);
  dnnl::convolution_forward::primitive_desc conv_forward(const ConvShape& s, bool bias, Act act, Type type);
  dnnl::convolution_backward_data::primitive_desc conv_data(const ConvShape& s, Type type);
  dnnl::convolution_backward_weights::primitive_desc conv_weights(const ConvShape& s, bool bias, Type type);
  Step conv_dw_parts(const ConvShape& s, int count, Type type, float* x, float* dy, float* dw, float* db);

  dnnl::engine engine_;
  dnnl::stream stream_;
  Block weights_, pads_, narrow_;
  bool bfloat16_ = false;
};

}  // namespace gdn
