//go:build cgo && !nonative

// What the package go-tflite cannot do: error texts that can be kept, XNNPACK with flags, and external plug-ins whose
// errors and whose claims are seen.
#ifndef GLEANER_TFLITE_GLUE_H
#define GLEANER_TFLITE_GLUE_H

#include <stddef.h>
#include <stdint.h>

#include "tensorflow/lite/c/c_api.h"
#include "tensorflow/lite/c/common.h"

// XNNPACK's options as this release lays them out (tensorflow/lite/delegates/xnnpack/xnnpack_delegate.h, 2.9).
typedef struct {
  int32_t num_threads;
  uint32_t flags;
} TfLiteXNNPackDelegateOptions;

TfLiteXNNPackDelegateOptions TfLiteXNNPackDelegateOptionsDefault(void);
TfLiteDelegate* TfLiteXNNPackDelegateCreate(const TfLiteXNNPackDelegateOptions* options);
void TfLiteXNNPackDelegateDelete(TfLiteDelegate* delegate);

// gl_log keeps what TensorFlow Lite says about errors, until it is read.
typedef struct {
  char text[2048];
} gl_log;

void gl_log_attach(TfLiteInterpreterOptions* options, gl_log* log);

// gl_delegate stands in front of another delegate and counts what it claims: base.Prepare calls the inner one's and
// looks at the execution plan before and after.
typedef struct {
  TfLiteDelegate base;
  TfLiteDelegate* inner;
  void (*destroy)(TfLiteDelegate*);
  int total;    // operators that no delegate had taken before
  int claimed;  // operators that it took
} gl_delegate;

gl_delegate* gl_xnnpack(int32_t threads, uint32_t flags);

// gl_load loads a plug-in (tensorflow/lite/delegates/external/external_delegate_interface.h); NULL and a sentence in
// err when it cannot. A plug-in stays loaded for good, since plug-ins start threads and register exit handlers that
// outlive their delegates.
void* gl_load(const char* path, char* err, size_t err_size);

// gl_external makes a loaded plug-in's delegate; NULL and a sentence in err when it makes none.
gl_delegate* gl_external(void* lib, char** keys, char** values, size_t n, char* err, size_t err_size);

void gl_delegate_free(gl_delegate* d);

// gl_dynamic says whether a tensor's memory may move when the network computes.
int gl_dynamic(const TfLiteTensor* t);

// gl_hush(1) keeps what TensorFlow Lite prints by itself off the standard error until gl_hush(0): its errors come back
// through the gl_log, or are the caller's to word.
void gl_hush(int on);

// gl_give_back returns what the C library keeps of freed memory to the system.
void gl_give_back(void);

// gl_die_plainly gives the signals of a crash back to the kernel, so that a parent process sees which one it was, and
// forbids core files.
void gl_die_plainly(void);

// gl_limit forbids this process to take more than so many bytes of address space beyond what it has.
void gl_limit(size_t more);

#endif
