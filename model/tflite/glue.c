//go:build cgo && !nonative

#define _GNU_SOURCE
#include "glue.h"

#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

// In glibc the stream stderr may be replaced, see stdio(3). What else C code prints within the milliseconds of a hush
// is lost; Go does not print through it.
void gl_hush(int on) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static FILE *loud, *quiet;
  static int depth;
  pthread_mutex_lock(&lock);
  if (quiet == NULL) quiet = fopen("/dev/null", "we");
  if (on && depth++ == 0 && quiet != NULL) {
    loud = stderr;
    stderr = quiet;
  } else if (!on && --depth == 0 && loud != NULL) {
    stderr = loud;
    loud = NULL;
  }
  pthread_mutex_unlock(&lock);
}

void gl_give_back(void) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

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

// unclaimed counts the operators that no delegate computes; -1 when the runtime does not say.
static int unclaimed(TfLiteContext* context) {
  TfLiteIntArray* plan = NULL;
  if (context->GetExecutionPlan(context, &plan) != kTfLiteOk) return -1;
  int n = 0;
  for (int i = 0; i < plan->size; i++) {
    TfLiteNode* node = NULL;
    TfLiteRegistration* registration = NULL;
    if (context->GetNodeAndRegistration(context, plan->data[i], &node, &registration) != kTfLiteOk) return -1;
    if (node->delegate == NULL) n++;
  }
  return n;
}

static TfLiteStatus watch_prepare(TfLiteContext* context, TfLiteDelegate* delegate) {
  gl_delegate* d = (gl_delegate*)delegate;
  d->total = unclaimed(context);
  d->claimed = 0;
  if (d->total < 0) return kTfLiteError;
  TfLiteStatus status = d->inner->Prepare(context, d->inner);
  if (status != kTfLiteOk) return status;
  int left = unclaimed(context);
  if (left < 0) return kTfLiteError;
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
  gl_hush(1);  // it greets the world, once
  TfLiteDelegate* inner = TfLiteXNNPackDelegateCreate(&options);
  gl_hush(0);
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

// The GPU delegate's library has functions of its own (tensorflow/lite/delegates/gpu/delegate.h), and the two of a
// plug-in only in some releases. Its options grow from release to release; they are more than 16 bytes, so that both
// the x86-64 and the AArch64 calling convention return them through the caller's memory, of which there is plenty here.
typedef struct {
  char bytes[1024];
} gpu_options;

typedef gpu_options (*gpu_default_fn)(void);
typedef TfLiteDelegate* (*gpu_create_fn)(const gpu_options*);

static TfLiteDelegate* gpu_create(void* lib, destroy_fn* destroy) {
  gpu_default_fn defaults = (gpu_default_fn)dlsym(lib, "TfLiteGpuDelegateOptionsV2Default");
  gpu_create_fn create = (gpu_create_fn)dlsym(lib, "TfLiteGpuDelegateV2Create");
  *destroy = (destroy_fn)dlsym(lib, "TfLiteGpuDelegateV2Delete");
  if (defaults == NULL || create == NULL || *destroy == NULL) return NULL;
  gpu_options options = defaults();
  return create(&options);
}

void* gl_load(const char* path, char* err, size_t err_size) {
  void* lib = dlopen(path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (lib == NULL) snprintf(err, err_size, "%s", dlerror());
  return lib;
}

gl_delegate* gl_external(void* lib, char** keys, char** values, size_t n, char* err, size_t err_size) {
  create_fn create = (create_fn)dlsym(lib, "tflite_plugin_create_delegate");
  destroy_fn destroy = (destroy_fn)dlsym(lib, "tflite_plugin_destroy_delegate");
  TfLiteDelegate* inner = NULL;
  gl_delegate* d = NULL;
  int plugin = create != NULL && destroy != NULL;
  plug_error[0] = 0;
  inner = plugin ? create(keys, values, n, plug_report) : gpu_create(lib, &destroy);
  if (inner == NULL && !plugin && destroy == NULL) {
    snprintf(err, err_size, "is no delegate plug-in: it lacks the function %s",
             create == NULL ? "tflite_plugin_create_delegate" : "tflite_plugin_destroy_delegate");
  } else if (inner == NULL) {
    snprintf(err, err_size, "made no delegate: %s", plug_error[0] ? plug_error : "it gave no reason");
  } else if (inner->Prepare == NULL) {
    snprintf(err, err_size, "made a delegate without a Prepare function");
    destroy(inner);
  } else {
    d = watch(inner, destroy);
  }
  dlclose(lib);  // the count of users only: see gl_load
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

void gl_limit(size_t more) {
  unsigned long pages = 0;
  FILE* f = fopen("/proc/self/statm", "re");  // its first field is the address space in pages: see proc(5)
  if (f == NULL) return;
  int n = fscanf(f, "%lu", &pages);
  fclose(f);
  if (n != 1) return;
  rlim_t limit = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + more;
  struct rlimit r = {limit, limit};
  setrlimit(RLIMIT_AS, &r);
}
