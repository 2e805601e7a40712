// What Go calls: a plan is a list of steps on memory that never moves, run from one to another in one call.
#pragma once
#include <stddef.h>
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

typedef struct dn_plan dn_plan;

// dn_conv is a convolution's geometry. act: 0 none, 1 ReLU, 2 ReLU6.
typedef struct {
    int n, h, w, c, k, kh, kw, sh, sw, dh, dw, top, left, bottom, right, groups, oh, ow, bias, act;
} dn_conv;

typedef struct {
    float rate, decay, momentum, beta1, beta2, eps;
    int decoupled, nesterov;
} dn_rule;

// Each call that can fail returns a message to free, or NULL.
char *dn_load(const char *library);
void dn_threads(int n);
void *dn_alloc(size_t bytes);
void dn_free(void *p);

dn_plan *dn_plan_new(void);
void dn_plan_free(dn_plan *p);
int dn_plan_steps(dn_plan *p);
char *dn_plan_run(dn_plan *p, int from, int to);
// After the last step was added: gives the primitives their scratch memory.
char *dn_plan_ready(dn_plan *p);

char *dn_conv_fwd(dn_plan *p, const dn_conv *c, float *x, float *w, float *b, float *y);
char *dn_conv_dx(dn_plan *p, const dn_conv *c, float *dy, float *w, float *dx);
char *dn_conv_dw(dn_plan *p, const dn_conv *c, float *x, float *dy, float *dw, float *db);
char *dn_dense_fwd(dn_plan *p, int n, int c, int k, int act, float *x, float *w, float *b, float *y);
char *dn_dense_dx(dn_plan *p, int n, int c, int k, float *dy, float *w, float *dx);
char *dn_dense_dw(dn_plan *p, int n, int c, int k, float *x, float *dy, float *dw, float *db);
// A pooling of a forward step and of its gradient share a workspace by key.
char *dn_pool_fwd(dn_plan *p, const dn_conv *c, int avg, int key, float *x, float *y);
char *dn_pool_dx(dn_plan *p, const dn_conv *c, int avg, int key, float *dy, float *dx);

void dn_norm(dn_plan *p, int64_t m, int c, float eps, int act, float *x, float *gamma, float *beta, float *y, float *mean, float *var);
void dn_norm_dx(dn_plan *p, int64_t m, int c, float eps, int act, float *x, float *gamma, float *mean, float *var, float *dy, float *y, float *dx,
                float *dgamma, float *dbeta);
void dn_norm_infer(dn_plan *p, int64_t m, int c, float eps, int act, float *x, float *gamma, float *beta, float *mean, float *var, float *y);
void dn_norm_infer_dx(dn_plan *p, int64_t m, int c, float eps, float *dy, float *gamma, float *var, float *dx);

void dn_act(dn_plan *p, int64_t n, int act, float *x, float *y);
void dn_act_dx(dn_plan *p, int64_t n, int act, float *y, float *dy, float *dx);
void dn_add(dn_plan *p, int64_t n, int act, float *a, float *b, float *y);
void dn_scale(dn_plan *p, int64_t n, float f, float *x, float *y);
void dn_dropout(dn_plan *p, int64_t n, float rate, uint32_t seed, float *x, float *step, float *y);
void dn_gap(dn_plan *p, int n, int hw, int c, float *x, float *y);
void dn_gap_dx(dn_plan *p, int n, int hw, int c, float *dy, float *dx);
void dn_columns(dn_plan *p, int64_t rows, int width, float *src, int src_stride, float *dst, int dst_stride);
void dn_lerp(dn_plan *p, int64_t n, float rate, float factor, float *a, float *b, float *scalar, float *y);
void dn_sgd(dn_plan *p, int64_t n, dn_rule r, float *w, float *g, float *v, float *lr, float *clip);
void dn_adam(dn_plan *p, int64_t n, dn_rule r, float *w, float *g, float *m, float *v, float *lr, float *c1, float *c2, float *clip);

#ifdef __cplusplus
}
#endif
