// What Go calls. A plan is a program as a list of steps on memory that never moves; one call runs as many of them as wanted.
// Calls of one thread; functions that can fail return a message to free, or NULL.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// gdn_array is a value: where it is, how many numbers it has, and its shape, row-major; axes that it lacks are 1.
typedef struct {
  float *at;
  int64_t size;
  int64_t dim[4];
  int64_t last; // size of the last axis, 1 for a scalar
} gdn_array;

// gdn_step is an engine.Step: its operator's kind, inputs, results, and of the attributes those that the operator has. Results that
// nothing reads have memory as well.
typedef struct {
  const char *kind;
  gdn_array *in, *out;
  int ins, outs;
  int kh, kw, sh, sw, dh, dw, top, left, bottom, right, groups; // Window, Conv.Groups
  int act;
  double eps;             // Norm
  double factor;          // Factor, Blend
  int64_t from;           // Part
  double rate;            // Drop, UpdateRule, Blend
  uint32_t seed;          // Drop
  const float *weights;   // Loss: as many as classes, or NULL
  double smoothing, gamma; // Loss
  int bits;               // Quant
  double decay, momentum, beta1, beta2, epsilon; // UpdateRule
  int decoupled, nesterov;
} gdn_step;

typedef struct gdn_plan gdn_plan;

// gdn_load finds oneDNN in the library of that name or path.
char *gdn_load(const char *library);

// gdn_thread prepares the calling thread, from which all plans must then be made and run: it owns a pool of that many threads,
// which compute numbers too small for float32's usual form as 0, since processors take a hundred times as long for those.
void gdn_thread(int threads);

// gdn_memory is zeroed memory at a multiple of 64 bytes; NULL if there is none.
void *gdn_memory(size_t bytes);
void gdn_free(void *memory, size_t bytes);

// gdn_plan_new is a plan without steps. Where bfloat16 is not 0, and the processor has instructions for it, its convolutions multiply
// numbers rounded to bfloat16.
gdn_plan *gdn_plan_new(int bfloat16);
// gdn_bfloat16 tells whether the processor has them.
int gdn_bfloat16(void);
char *gdn_plan_add(gdn_plan *p, const gdn_step *s);
// gdn_plan_end comes after the last step was added, and before one is run.
char *gdn_plan_end(gdn_plan *p);
char *gdn_plan_run(gdn_plan *p, int from, int to);
// gdn_plan_scratch is how much memory the plan has taken for itself, in bytes.
size_t gdn_plan_scratch(const gdn_plan *p);
void gdn_plan_free(gdn_plan *p);

#ifdef __cplusplus
}
#endif
