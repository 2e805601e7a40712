//go:build cgo && !nonative

#include "plan.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include <exception>
#include <string>

#include "library.h"
#include "operators.h"

struct gdn_plan {
  explicit gdn_plan(bool bfloat16) : primitives(bfloat16) {}

  gdn::Primitives primitives;
  std::vector<gdn::Step> steps;
  char* scratch = nullptr;
  size_t scratch_size = 0;

  ~gdn_plan() { gdn_free(scratch, scratch_size); }
};

namespace {

// message runs f and returns what it throws.
template <class F>
char* message(const F& f) {
  try {
    f();
    return nullptr;
  } catch (const std::exception& e) {
    return strdup(e.what());
  }
}

}  // namespace

char* gdn_load(const char* library) {
  const std::string wrong = gdn::load(library);
  return wrong.empty() ? nullptr : strdup(wrong.c_str());
}

void gdn_thread(int threads) {
#if defined(__x86_64__)
  _mm_setcsr(_mm_getcsr() | 0x8040);  // flush to zero, denormals are zero; the pool's threads inherit it
#endif
  gdn::set_threads(threads);
}

// Arrays of 1 MB are memory of their own, in big pages where there are, since a step walks over all of them.
static const size_t kBig = 1 << 20;

void* gdn_memory(size_t bytes) {
  if (bytes < kBig) {
    bytes = (bytes + 63) / 64 * 64;
    void* p = aligned_alloc(64, bytes);
    return p ? memset(p, 0, bytes) : nullptr;
  }
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) return nullptr;
  madvise(p, bytes, MADV_HUGEPAGE);
  return p;
}

void gdn_free(void* memory, size_t bytes) {
  if (!memory) return;
  if (bytes < kBig)
    free(memory);
  else
    munmap(memory, bytes);
}

gdn_plan* gdn_plan_new(int bfloat16) {
  try {
    return new gdn_plan(bfloat16 != 0);
  } catch (const std::exception&) {
    return nullptr;
  }
}

int gdn_bfloat16(void) {
  try {
    return gdn::Primitives(true).bfloat16();
  } catch (const std::exception&) {
    return 0;
  }
}

char* gdn_plan_add(gdn_plan* p, const gdn_step* s) {
  return message([&] { p->steps.push_back(gdn::make_step(p->primitives, *s)); });
}

char* gdn_plan_end(gdn_plan* p) {
  return message([&] {
    p->scratch_size = p->primitives.scratch();
    if (p->scratch_size == 0) return;
    p->scratch = (char*)gdn_memory(p->scratch_size);
    if (!p->scratch) throw std::bad_alloc();
    p->primitives.share(p->scratch);
  });
}

char* gdn_plan_run(gdn_plan* p, int from, int to) {
  return message([&] {
    for (int i = from; i < to; i++) p->steps[i]();
  });
}

size_t gdn_plan_scratch(const gdn_plan* p) { return p->scratch_size; }

void gdn_plan_free(gdn_plan* p) { delete p; }
