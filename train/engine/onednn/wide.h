// How loops are written so that compilers turn them into vectors.
#pragma once

// WIDE compiles a function for several generations of processors; the loader chooses. It goes on functions that do much work in
// one call, because such a function is never inlined.
#if defined(__x86_64__) && defined(__gnu_linux__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"))) static
#else
#define WIDE static
#endif

#define INLINE static inline __attribute__((always_inline))

// EACH is a loop whose rounds touch an element each, also where a result lies exactly over an input.
#if defined(__clang__)
#define EACH(i, n) _Pragma("clang loop vectorize(assume_safety)") for (int64_t i = 0; i < (n); i++)
#else
#define EACH(i, n) _Pragma("GCC ivdep") for (int64_t i = 0; i < (n); i++)
#endif

namespace gdn {

// The activations, in the order of engine.Act. NaN goes through all of them.
enum Act { kNone, kRelu, kRelu6 };

template <int act>
INLINE float activate(float v) {
  if (act != kNone) v = v < 0 ? 0 : v;
  if (act == kRelu6) v = v > 6 ? 6 : v;
  return v;
}

// masked is a gradient behind an activation whose result is y.
template <int act>
INLINE float masked(float y, float dy) {
  if (act == kRelu) return y > 0 ? dy : 0;
  if (act == kRelu6) return (y > 0) & (y < 6) ? dy : 0;
  return dy;
}

}  // namespace gdn
