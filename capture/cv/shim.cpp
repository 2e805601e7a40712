//go:build cgo && !nonative

#include "shim.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <limits>
#include <malloc.h>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/videoio.hpp>
#include <vector>

static const unsigned char mark[24] = {0x9d, 0x21, 0xe4, 0x07, 0x5b, 0xf8, 0x33, 0xc6, 0x1a, 0x8f, 0x70, 0xd2,
                                       0x4e, 0xb5, 0x68, 0x0c, 0xf3, 0x97, 0x2d, 0x51, 0xaa, 0x3c, 0xe9, 0x86};

static void note(char *err, const char *what) { snprintf(err, ERR_LEN, "%s", what); }

extern "C" {

void *gl_open(const char *uri, int api, const int *params, int nparams, char *err) {
    cv::VideoCapture *cap = NULL;
    try {
        cap = new cv::VideoCapture();
        if (cap->open(uri, api, std::vector<int>(params, params + nparams))) return cap;
    } catch (const std::exception &e) {
        note(err, e.what());
    }
    gl_close(cap);
    return NULL;
}

int gl_read(void *cap, void *mat, char *err) {
    try {
        return static_cast<cv::VideoCapture *>(cap)->read(*static_cast<cv::Mat *>(mat)) ? 1 : 0;
    } catch (const std::exception &e) {
        note(err, e.what());
        return -1;
    }
}

double gl_get(void *cap, int prop) {
    try {
        return static_cast<cv::VideoCapture *>(cap)->get(prop);
    } catch (const std::exception &) {
        return std::numeric_limits<double>::quiet_NaN();
    }
}

int gl_set(void *cap, int prop, double value) {
    try {
        return static_cast<cv::VideoCapture *>(cap)->set(prop, value) ? 1 : 0;
    } catch (const std::exception &) {
        return 0;
    }
}

void gl_close(void *cap) {
    try {
        delete static_cast<cv::VideoCapture *>(cap);
    } catch (const std::exception &) {
    }
}

int gl_decode(const void *data, size_t len, int stored, void *mat, char *err) {
    try {
        const cv::Mat in(1, static_cast<int>(len), CV_8UC1, const_cast<void *>(data));
        cv::Mat *out = static_cast<cv::Mat *>(mat);
        // imdecode leaves *out as it was when it finds no decoder or cannot read the header, and there is no other
        // sign of that. So the first pixels are marked; they are still marked if nothing was decoded.
        const size_t n = out->empty() || !out->isContinuous() ? 0 : out->total() * out->elemSize();
        if (n >= sizeof mark) memcpy(out->data, mark, sizeof mark);
        else out->release();
        cv::imdecode(in, stored ? cv::IMREAD_COLOR | cv::IMREAD_IGNORE_ORIENTATION : cv::IMREAD_COLOR, out);
        if (out->empty()) return 0;
        if (n >= sizeof mark && out->total() * out->elemSize() == n && !memcmp(out->data, mark, sizeof mark)) return 0;
        return 1;
    } catch (const std::exception &e) {
        note(err, e.what());
        return -1;
    }
}

void gl_trim(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

void gl_setup(void) {
    // The environment is the one way to FFmpeg's options and log through OpenCV, which reads the former at each opening
    // and the latter at the first. It is written once, because another thread may be reading it, and what the user set
    // stays. The time-out is in microseconds and per wait on the socket (the widely copied stimeout is ignored since
    // FFmpeg 5); clips and other protocols pass over both. The probing is cut short because it waits for frames only to
    // find a rate that nobody asks for: 1.0 s instead of 1.9 s until the first frame at 25 frames/s; clips keep their
    // pixels and times. 8 is AV_LOG_FATAL: a camera that drops packets would fill the journal with its errors.
    static const int once = setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS",
                                   "rtsp_transport;tcp|timeout;2000000|fpsprobesize;0|analyzeduration;1000000", 0) +
                            setenv("OPENCV_FFMPEG_LOGLEVEL", "8", 0);
    (void)once;
#ifdef __GLIBC__
    // Each thread that decodes for a stream may get a heap of its own, and what lies scattered in it stays resident when
    // the thread is gone: RSS grew by 6 MB in 50 reconnects with the 8 heaps per core of glibc's default, and by 0.2 MB
    // with few.
    mallopt(M_ARENA_MAX, 2);
    // Frames and what a decoder keeps of them go back to the system when they are freed. By itself glibc raises this bound
    // with the first frame that is freed, and after that they lie about in the heaps: 3 MB more or less by chance. In a
    // steady stream frames are not freed, so it costs nothing there.
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
#endif
    cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_FATAL);
}

}  // extern "C"
