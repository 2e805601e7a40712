//go:build cgo && !nonative

#define _GNU_SOURCE
#include "glue.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static void append(char* to, size_t size, const char* format, va_list args) {
  size_t n = strlen(to);
  if (n > 0 && n + 3 < size) {
    memcpy(to + n, "; ", 3);
    n += 2;
  }
  if (n + 1 < size) vsnprintf(to + n, size - n, format, args);
}

static void report(void* user, const char* format, va_list args) {
  gl_log* log = user;
  append(log->text, sizeof log->text, format, args);
}

void gl_log_attach(TfLiteInterpreterOptions* options, gl_log* log) {
  TfLiteInterpreterOptionsSetErrorReporter(options, report, log);
}

static TfLiteStatus watch_prepare(TfLiteContext* context, TfLiteDelegate* delegate) {
  gl_delegate* d = (gl_delegate*)delegate;
  TfLiteIntArray* plan = NULL;
  TfLiteStatus status = context->GetExecutionPlan(context, &plan);
  if (status != kTfLiteOk) return status;
  d->total = plan->size;
  d->claimed = 0;
  status = d->inner->Prepare(context, d->inner);
  if (status != kTfLiteOk) return status;
  status = context->GetExecutionPlan(context, &plan);
  if (status != kTfLiteOk) return status;
  // The plan now holds one node for each part that the delegate took, and the operators it left.
  int left = 0;
  for (int i = 0; i < plan->size; i++) {
    TfLiteNode* node = NULL;
    TfLiteRegistration* registration = NULL;
    if (context->GetNodeAndRegistration(context, plan->data[i], &node, &registration) != kTfLiteOk) return kTfLiteError;
    if (node->delegate == NULL) left++;
  }
  d->claimed = d->total - left;
  return kTfLiteOk;
}

static gl_delegate* watch(TfLiteDelegate* inner, void (*destroy)(TfLiteDelegate*)) {
  gl_delegate* d = calloc(1, sizeof *d);
  if (d == NULL) {
    destroy(inner);
    return NULL;
  }
  // The nodes it makes point at the inner delegate, so the runtime calls that one's buffer functions; only Prepare
  // and the flags are asked of this one.
  d->base = *inner;
  d->base.Prepare = watch_prepare;
  d->inner = inner;
  d->destroy = destroy;
  return d;
}

gl_delegate* gl_xnnpack(int32_t threads, uint32_t flags) {
  TfLiteXNNPackDelegateOptions options = TfLiteXNNPackDelegateOptionsDefault();
  options.num_threads = threads;
  options.flags = flags;
  TfLiteDelegate* inner = TfLiteXNNPackDelegateCreate(&options);
  return inner == NULL ? NULL : watch(inner, TfLiteXNNPackDelegateDelete);
}

// What a plug-in reported while its delegate was made; its callback takes no user data, and the call is made and ends
// on one thread.
static __thread char plug_error[512];

static void plug_report(const char* message) {
  if (message != NULL) snprintf(plug_error, sizeof plug_error, "%s", message);
}

typedef TfLiteDelegate* (*create_fn)(char**, char**, size_t, void (*)(const char*));
typedef void (*destroy_fn)(TfLiteDelegate*);

gl_delegate* gl_external(const char* path, char** keys, char** values, size_t n, char* err, size_t err_size) {
  // It is never unloaded: plug-ins start threads and register exit handlers that outlive their delegates.
  void* lib = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (lib == NULL) {
    snprintf(err, err_size, "%s", dlerror());
    return NULL;
  }
  create_fn create = (create_fn)dlsym(lib, "tflite_plugin_create_delegate");
  destroy_fn destroy = (destroy_fn)dlsym(lib, "tflite_plugin_destroy_delegate");
  gl_delegate* d = NULL;
  if (create == NULL || destroy == NULL) {
    snprintf(err, err_size, "it is no delegate plug-in: it lacks the function %s",
             create == NULL ? "tflite_plugin_create_delegate" : "tflite_plugin_destroy_delegate");
  } else {
    plug_error[0] = 0;
    TfLiteDelegate* inner = create(keys, values, n, plug_report);
    if (inner == NULL) {
      snprintf(err, err_size, "it made no delegate: %s", plug_error[0] ? plug_error : "it gave no reason");
    } else if (inner->Prepare == NULL) {
      snprintf(err, err_size, "its delegate has no Prepare function");
      destroy(inner);
    } else {
      d = watch(inner, destroy);
    }
  }
  dlclose(lib);
  return d;
}

void gl_delegate_free(gl_delegate* d) {
  if (d == NULL) return;
  d->destroy(d->inner);
  free(d);
}

int gl_dynamic(const TfLiteTensor* t) { return t->allocation_type == kTfLiteDynamic; }

void gl_die_plainly(void) {
  const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
  for (size_t i = 0; i < sizeof fatal / sizeof *fatal; i++) signal(fatal[i], SIG_DFL);
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
}
