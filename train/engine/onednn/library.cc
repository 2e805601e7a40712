//go:build cgo && !nonative

#include "library.h"

#include <dlfcn.h>

#include "parallel.h"

namespace dnnl {
#define GDN_DEFINE(name) decltype(&::name) name = nullptr;
GDN_FUNCTIONS(GDN_DEFINE)
#undef GDN_DEFINE
}  // namespace dnnl

namespace gdn {

Pool pool;

static void (*omp_set_threads)(int);

// find sets a pointer to a function of a library, or notes the name of the first that is missing.
template <class F>
static void find(void* lib, const char* name, F*& pointer, std::string& missing) {
  pointer = (F*)dlsym(lib, name);
  if (!pointer && missing.empty()) missing = name;
}

std::string load(const char* path) {
  // The library stays loaded: its threads and the code that it made are still there when a backend is closed.
  void* lib = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!lib) return dlerror();
  std::string missing;
#define GDN_FIND(name) find(lib, #name, dnnl::name, missing);
  GDN_FUNCTIONS(GDN_FIND)
#undef GDN_FIND
  // It depends on GNU's OpenMP, so that this finds the one that it uses.
  void* omp = dlopen("libgomp.so.1", RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!omp) return dlerror();
  find(omp, "GOMP_parallel", pool.parallel, missing);
  find(omp, "omp_get_thread_num", pool.thread, missing);
  find(omp, "omp_get_num_threads", pool.team, missing);
  find(omp, "omp_get_max_threads", pool.threads, missing);
  find(omp, "omp_set_num_threads", omp_set_threads, missing);
  return missing.empty() ? "" : std::string(path) + " lacks the function " + missing + ": version 2.6 is wanted";
}

void set_threads(int n) { omp_set_threads(n); }

}  // namespace gdn
