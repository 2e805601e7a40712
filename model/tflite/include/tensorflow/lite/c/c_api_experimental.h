/* The declarations of TensorFlow Lite 2.9's experimental C interface that the runtime library exports and that the
 * package go-tflite asks for. The fetched header set lacks this file, so set-up copies ours beside the others.
 * Signatures: tensorflow/lite/c/c_api_experimental.h and tensorflow/lite/builtin_ops.h of that release. */
#ifndef GLEANER_TFLITE_C_API_EXPERIMENTAL_H
#define GLEANER_TFLITE_C_API_EXPERIMENTAL_H

#include <stdbool.h>
#include <stdint.h>

#include "tensorflow/lite/c/c_api.h"
#include "tensorflow/lite/c/common.h"

#ifdef __cplusplus
extern "C" {
#endif

/* An operator's number in the schema. The names are not needed here, only a type of the same size as the enum. */
typedef int TfLiteBuiltinOperator;

TfLiteStatus TfLiteInterpreterResetVariableTensors(TfLiteInterpreter* interpreter);
void TfLiteInterpreterOptionsAddBuiltinOp(TfLiteInterpreterOptions* options, TfLiteBuiltinOperator op,
                                          const TfLiteRegistration* registration, int32_t min_version,
                                          int32_t max_version);
void TfLiteInterpreterOptionsAddCustomOp(TfLiteInterpreterOptions* options, const char* name,
                                         const TfLiteRegistration* registration, int32_t min_version,
                                         int32_t max_version);
void TfLiteInterpreterOptionsSetUseNNAPI(TfLiteInterpreterOptions* options, bool enable);

#ifdef __cplusplus
}
#endif
#endif
