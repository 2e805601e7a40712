// What gocv lacks of OpenCV's videoio and imgcodecs, and GStreamer: opening with parameters (time-outs), the answer of set(), decoding
// into a Mat that exists, and catching exceptions, which would otherwise end the process.
#ifndef GLEANER_CAPTURE_CV_SHIM_H
#define GLEANER_CAPTURE_CV_SHIM_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

// All functions put a message into err (ERR_LEN bytes, always terminated) when OpenCV throws.
#define ERR_LEN 256

// A cv::VideoCapture*, or NULL.
void *gl_open(const char *uri, int api, const int *params, int nparams, char *err);
// 1: a frame was read into mat (a cv::Mat*), 0: none, -1: exception.
int gl_read(void *cap, void *mat, char *err);
double gl_get(void *cap, int prop);
int gl_set(void *cap, int prop, double value);
void gl_close(void *cap);
// 1: decoded into mat as 8-bit BGR, 0: not a picture that OpenCV reads, -1: exception.
int gl_decode(const void *data, size_t len, int stored, void *mat, char *err);
// The name that the pipeline's appsink must have.
#define GST_SINK "gleaner"
// A playing GStreamer pipeline, or NULL.
void *gl_gst_open(const char *pipeline, char *err);
// 1: a frame was copied into mat as 8 bits with 1, 3 or 4 channels, 0: none within wait_ns, 2: the pipeline ended, -1: it
// failed.
int gl_gst_read(void *pipeline, void *mat, unsigned long long wait_ns, char *err);
void gl_gst_close(void *pipeline);
// Gives the memory that a closed source left free back to the system: threads that decoded for a stream leave heaps of
// their own behind, and a camera that comes and goes for weeks would fill them one after the other.
void gl_trim(void);
// Before any capture: silences OpenCV's and FFmpeg's own logs but for fatal errors, because what fails here is said by us,
// and once; asks for RTSP over TCP, given up after 2 s without a byte.
void gl_setup(void);

#ifdef __cplusplus
}
#endif
#endif
