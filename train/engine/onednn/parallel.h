// How kernels share the processors: through GNU OpenMP's pool of threads, which is oneDNN's as well, so that there is one pool.
// Nothing is linked for it; who makes the pool (library.cc, or a program that links libgomp) fills in the functions.
#pragma once
#include <stdint.h>

#include <algorithm>

namespace gdn {

struct Pool {
  // GOMP_parallel: runs a function on a team of threads, the caller one of them, and returns when all have ended.
  void (*parallel)(void (*run)(void*), void* data, unsigned threads, unsigned flags);
  int (*thread)();   // omp_get_thread_num: which of the team
  int (*team)();     // omp_get_num_threads: of how many
  int (*threads)();  // omp_get_max_threads: how many the calling thread may use
};
extern Pool pool;

// parts is into how many parts n pieces of work are worth being cut, of grain pieces at least.
inline int parts(int64_t n, int64_t grain) {
  return (int)std::max<int64_t>(1, std::min<int64_t>(pool.threads(), n / std::max<int64_t>(grain, 1)));
}

// split calls f(from, to, part) for count parts of [0, n), cut at multiples of unit, the parts at the same time. The cuts depend on
// the arguments alone.
template <class F>
void split(int64_t n, int count, int64_t unit, const F& f) {
  struct Job {
    const F& f;
    int64_t n, each;
    int count;
    void part(int i) const {
      const int64_t from = each * i, to = std::min(n, each * (i + 1));
      if (from < to) f(from, to, i);
    }
  } job{f, n, ((n + count - 1) / count + unit - 1) / unit * unit, count};
  if (count == 1) {
    job.part(0);
    return;
  }
  pool.parallel(
      [](void* data) {
        const Job& j = *(const Job*)data;
        for (int i = pool.thread(), step = pool.team(); i < j.count; i += step) j.part(i);
      },
      &job, (unsigned)count, 0);
}

// each calls f(from, to) for parts of an array of n numbers, at least 32 KB each, whose ends are those of cache lines.
template <class F>
void each(int64_t n, const F& f) {
  split(n, parts(n, 1 << 13), 16, [&](int64_t from, int64_t to, int) { f(from, to); });
}

}  // namespace gdn
