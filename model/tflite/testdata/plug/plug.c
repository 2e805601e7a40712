// A delegate plug-in for tests: it computes SOFTMAX (float, int8, uint8) or float ADD in plain C, and misbehaves on
// demand. Options: op = the builtin operator to claim (25 or 0; any other claims nothing); do = claim, fail, crash,
// exit, hang, spin, refuse, crash-prepare, crash-compute, fail-compute. Built with -DCRASH_AT_LOAD it dies when it is
// loaded, with -DNO_FUNCTIONS it lacks a plug-in's functions, with -DGPU it has the GPU delegate's instead.
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tensorflow/lite/c/common.h"

#define SOFTMAX 25
#define ADD 0

typedef struct {
  TfLiteDelegate base;
  int op;
  char what[32];
  pthread_t made_on;
} plug;

typedef struct {
  int n;
  struct {
    int a, b, out, activation;
    float beta;
  } ops[64];
  plug* p;
} kernel;

static void die(void) { raise(SIGSEGV); }

static float get(const TfLiteTensor* t, int i) {
  if (t->type == kTfLiteFloat32) return t->data.f[i];
  int q = t->type == kTfLiteUInt8 ? t->data.uint8[i] : t->data.int8[i];
  return t->params.scale * (float)(q - t->params.zero_point);
}

static void put(TfLiteTensor* t, int i, float v) {
  if (t->type == kTfLiteFloat32) {
    t->data.f[i] = v;
    return;
  }
  int low = t->type == kTfLiteUInt8 ? 0 : -128;
  int q = (int)lroundf(v / t->params.scale) + t->params.zero_point;
  if (q < low) q = low;
  if (q > low + 255) q = low + 255;
  if (t->type == kTfLiteUInt8) t->data.uint8[i] = (uint8_t)q;
  else t->data.int8[i] = (int8_t)q;
}

static int elements(const TfLiteTensor* t) {
  int n = 1;
  for (int i = 0; i < t->dims->size; i++) n *= t->dims->data[i];
  return n;
}

static void softmax(const TfLiteTensor* in, TfLiteTensor* out, float beta) {
  int depth = in->dims->data[in->dims->size - 1];
  for (int at = 0; at < elements(in); at += depth) {
    float top = get(in, at), sum = 0;
    for (int i = 1; i < depth; i++) top = fmaxf(top, get(in, at + i));
    for (int i = 0; i < depth; i++) sum += expf(beta * (get(in, at + i) - top));
    for (int i = 0; i < depth; i++) put(out, at + i, expf(beta * (get(in, at + i) - top)) / sum);
  }
}

static void add(const TfLiteTensor* a, const TfLiteTensor* b, TfLiteTensor* out, int activation) {
  for (int i = 0; i < elements(out); i++) {
    float v = get(a, i) + get(b, i);
    if (activation == 1 || activation == 3) v = fmaxf(v, 0);  // kTfLiteActRelu, kTfLiteActRelu6
    if (activation == 3) v = fminf(v, 6);
    put(out, i, v);
  }
}

static void* k_init(TfLiteContext* context, const char* buffer, size_t length) {
  const TfLiteDelegateParams* params = (const TfLiteDelegateParams*)buffer;
  kernel* k = calloc(1, sizeof *k);
  k->p = (plug*)params->delegate;
  for (int i = 0; i < params->nodes_to_replace->size && k->n < 64; i++) {
    TfLiteNode* node;
    TfLiteRegistration* registration;
    context->GetNodeAndRegistration(context, params->nodes_to_replace->data[i], &node, &registration);
    k->ops[k->n].a = node->inputs->data[0];
    k->ops[k->n].b = node->inputs->size > 1 ? node->inputs->data[1] : -1;
    k->ops[k->n].out = node->outputs->data[0];
    // Both TfLiteSoftmaxParams (beta) and TfLiteAddParams (activation) begin with what is needed here.
    if (k->p->op == SOFTMAX) k->ops[k->n].beta = *(float*)node->builtin_data;
    else k->ops[k->n].activation = *(int*)node->builtin_data;
    k->n++;
  }
  return k;
}

static void k_free(TfLiteContext* context, void* k) { free(k); }
static TfLiteStatus k_prepare(TfLiteContext* context, TfLiteNode* node) { return kTfLiteOk; }

static TfLiteStatus k_invoke(TfLiteContext* context, TfLiteNode* node) {
  kernel* k = node->user_data;
  if (!strcmp(k->p->what, "crash-compute")) die();
  if (!strcmp(k->p->what, "fail-compute") || !pthread_equal(k->p->made_on, pthread_self())) {
    context->ReportError(context, "the device is gone");
    return kTfLiteError;
  }
  for (int i = 0; i < k->n; i++) {
    TfLiteTensor* t = context->tensors;
    if (k->p->op == SOFTMAX) softmax(&t[k->ops[i].a], &t[k->ops[i].out], k->ops[i].beta);
    else add(&t[k->ops[i].a], &t[k->ops[i].b], &t[k->ops[i].out], k->ops[i].activation);
  }
  return kTfLiteOk;
}

static int wanted(TfLiteContext* context, const plug* p, TfLiteNode* node, TfLiteRegistration* registration) {
  if (registration->builtin_code != p->op) return 0;
  if (p->op == SOFTMAX) return 1;
  if (p->op != ADD) return 0;
  const TfLiteTensor *a = &context->tensors[node->inputs->data[0]], *b = &context->tensors[node->inputs->data[1]];
  return a->type == kTfLiteFloat32 && elements(a) == elements(b);
}

static TfLiteStatus prepare(TfLiteContext* context, TfLiteDelegate* delegate) {
  plug* p = (plug*)delegate;
  if (!strcmp(p->what, "crash-prepare")) die();
  if (!strcmp(p->what, "refuse")) {
    context->ReportError(context, "this model is too large for the device");
    return kTfLiteError;
  }
  TfLiteIntArray* plan;
  context->GetExecutionPlan(context, &plan);
  TfLiteIntArray* mine = calloc(1, sizeof(int) * (size_t)(plan->size + 1));
  for (int i = 0; i < plan->size; i++) {
    TfLiteNode* node;
    TfLiteRegistration* registration;
    context->GetNodeAndRegistration(context, plan->data[i], &node, &registration);
    if (wanted(context, p, node, registration)) mine->data[mine->size++] = plan->data[i];
  }
  TfLiteRegistration kernels;
  memset(&kernels, 0, sizeof kernels);
  kernels.init = k_init;
  kernels.free = k_free;
  kernels.prepare = k_prepare;
  kernels.invoke = k_invoke;
  kernels.custom_name = "TestPlug";
  kernels.version = 1;
  TfLiteStatus status = mine->size == 0 ? kTfLiteOk : context->ReplaceNodeSubsetsWithDelegateKernels(context, kernels, mine, delegate);
  free(mine);
  return status;
}

static TfLiteDelegate* make(char** keys, char** values, size_t n, void (*report)(const char*)) {
  plug* p = calloc(1, sizeof *p);
  p->op = SOFTMAX;
  p->made_on = pthread_self();
  for (size_t i = 0; i < n; i++) {
    if (!strcmp(keys[i], "op")) p->op = atoi(values[i]);
    if (!strcmp(keys[i], "do")) strncpy(p->what, values[i], sizeof p->what - 1);
  }
  if (!strcmp(p->what, "fail")) {
    report("no device is plugged in");
    free(p);
    return NULL;
  }
  if (!strcmp(p->what, "crash")) die();
  if (!strcmp(p->what, "exit")) exit(3);
  if (!strcmp(p->what, "hang")) sleep(3600);
  if (!strcmp(p->what, "spin")) for (volatile int i = 0;;) i++;
  p->base.Prepare = prepare;
  return &p->base;
}

#ifdef CRASH_AT_LOAD
__attribute__((constructor)) static void crash_at_load(void) { die(); }
#endif

#ifdef GPU
typedef struct {
  int some[14];
} TfLiteGpuDelegateOptionsV2;

TfLiteGpuDelegateOptionsV2 TfLiteGpuDelegateOptionsV2Default(void) {
  TfLiteGpuDelegateOptionsV2 o;
  memset(&o, 0, sizeof o);
  o.some[13] = 7;
  return o;
}

TfLiteDelegate* TfLiteGpuDelegateV2Create(const TfLiteGpuDelegateOptionsV2* options) {
  return options->some[13] == 7 ? make(NULL, NULL, 0, NULL) : NULL;
}

void TfLiteGpuDelegateV2Delete(TfLiteDelegate* delegate) { free(delegate); }
#elif !defined(NO_FUNCTIONS)
TfLiteDelegate* tflite_plugin_create_delegate(char** keys, char** values, size_t n, void (*report)(const char*)) {
  return make(keys, values, n, report);
}

void tflite_plugin_destroy_delegate(TfLiteDelegate* delegate) { free(delegate); }
#endif
