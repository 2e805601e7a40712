//go:build cgo && !nonative

// GStreamer by its own C interface. OpenCV 4.6 waits for a pipeline without bound, in open and in read, plays what is
// left of a pipeline with an unknown element, and keeps the reasons to itself. The libraries are in the process already,
// because OpenCV's videoio is linked with them; their headers need not be installed, for the few calls here have kept
// their shape since GStreamer 1.10 (gst_app_sink_try_pull_sample) and are looked up by name.

#include "shim.h"

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <opencv2/core.hpp>

namespace {

struct GError {
    uint32_t domain;
    int code;
    char *message;
};

struct GstMapInfo {  // gstmemory.h
    void *memory;
    int flags;
    uint8_t *data;
    size_t size, maxsize;
    void *user_data[4], *reserved[4];
};

enum { STATE_NULL = 1, STATE_PLAYING = 4, STATE_CHANGE_FAILURE = 0, MAP_READ = 1, MESSAGE_ERROR = 2, PARSE_FATAL_ERRORS = 1 };

struct Api {
    int (*init_check)(int *, char ***, GError **);
    void *(*parse_launch_full)(const char *, void *, int, GError **);
    void *(*bin_get_by_name)(void *, const char *);
    int (*element_set_state)(void *, int);
    void *(*element_get_bus)(void *);
    void *(*bus_pop_filtered)(void *, int);
    void (*message_parse_error)(void *, GError **, char **);
    void *(*try_pull_sample)(void *, uint64_t);
    int (*is_eos)(void *);
    void *(*sample_get_buffer)(void *);
    void *(*sample_get_caps)(void *);
    void *(*caps_get_structure)(const void *, unsigned);
    int (*structure_get_int)(const void *, const char *, int *);
    const char *(*structure_get_string)(const void *, const char *);
    int (*buffer_map)(void *, GstMapInfo *, int);
    void (*buffer_unmap)(void *, GstMapInfo *);
    void (*mini_object_unref)(void *);
    void (*object_unref)(void *);
    void (*error_free)(GError *);
    void (*free)(void *);
    bool ok;
};

template <typename F>
bool find(F &f, const char *name) {
    return (f = reinterpret_cast<F>(dlsym(RTLD_DEFAULT, name))) != NULL;
}

Api lookUp() {
    Api a;
    a.ok = find(a.init_check, "gst_init_check") && find(a.parse_launch_full, "gst_parse_launch_full") &&
           find(a.bin_get_by_name, "gst_bin_get_by_name") && find(a.element_set_state, "gst_element_set_state") &&
           find(a.element_get_bus, "gst_element_get_bus") && find(a.bus_pop_filtered, "gst_bus_pop_filtered") &&
           find(a.message_parse_error, "gst_message_parse_error") &&
           find(a.try_pull_sample, "gst_app_sink_try_pull_sample") && find(a.is_eos, "gst_app_sink_is_eos") &&
           find(a.sample_get_buffer, "gst_sample_get_buffer") && find(a.sample_get_caps, "gst_sample_get_caps") &&
           find(a.caps_get_structure, "gst_caps_get_structure") && find(a.structure_get_int, "gst_structure_get_int") &&
           find(a.structure_get_string, "gst_structure_get_string") && find(a.buffer_map, "gst_buffer_map") &&
           find(a.buffer_unmap, "gst_buffer_unmap") && find(a.mini_object_unref, "gst_mini_object_unref") &&
           find(a.object_unref, "gst_object_unref") && find(a.error_free, "g_error_free") && find(a.free, "g_free");
    return a;
}

const Api &api() {
    static const Api a = lookUp();
    return a;
}

struct Pipeline {
    void *top, *sink, *bus;
};

// take moves the error's message into err.
void take(char *err, GError *e, const char *otherwise) {
    snprintf(err, ERR_LEN, "%s", e ? e->message : otherwise);
    if (e) api().error_free(e);
}

// failed reports whether the pipeline has posted an error, and moves its message into err.
bool failed(const Pipeline *p, char *err) {
    void *m = api().bus_pop_filtered(p->bus, MESSAGE_ERROR);
    if (!m) return false;
    GError *e = NULL;
    char *debug = NULL;
    api().message_parse_error(m, &e, &debug);
    take(err, e, "the pipeline failed");
    api().free(debug);
    api().mini_object_unref(m);
    return true;
}

// copy puts a mapped picture into mat. Rows of raw video are padded to 4 bytes (gst_video_info_set_format).
int copy(const uint8_t *data, size_t size, int w, int h, const char *format, cv::Mat *mat, char *err) {
    const int channels = !strcmp(format, "BGR") ? 3 : !strcmp(format, "GRAY8") ? 1 : !strcmp(format, "BGRx") || !strcmp(format, "BGRA") ? 4 : 0;
    if (!channels) {
        snprintf(err, ERR_LEN, "the appsink gets %s: want BGR, so put videoconvert ! video/x-raw,format=BGR before it", format);
        return -1;
    }
    const size_t row = size_t(w) * channels, stride = (row + 3) & ~size_t(3);
    if (w <= 0 || h <= 0 || size < stride * (h - 1) + row) {
        snprintf(err, ERR_LEN, "%zu bytes are no picture of %dx%d", size, w, h);
        return -1;
    }
    mat->create(h, w, CV_MAKETYPE(CV_8U, channels));
    for (int y = 0; y < h; y++) memcpy(mat->ptr(y), data + y * stride, row);
    return 1;
}

int unpack(void *sample, cv::Mat *mat, char *err) {
    const Api &a = api();
    void *buffer = a.sample_get_buffer(sample), *caps = a.sample_get_caps(sample);
    void *s = caps ? a.caps_get_structure(caps, 0) : NULL;
    int w = 0, h = 0;
    const char *format = s ? a.structure_get_string(s, "format") : NULL;
    GstMapInfo map;
    if (!buffer || !format || !a.structure_get_int(s, "width", &w) || !a.structure_get_int(s, "height", &h) ||
        !a.buffer_map(buffer, &map, MAP_READ)) {
        snprintf(err, ERR_LEN, "the appsink gets no raw video: put decodebin ! videoconvert before it");
        return -1;
    }
    int r = -1;
    try {
        r = copy(map.data, map.size, w, h, format, mat, err);
    } catch (const std::exception &e) {
        snprintf(err, ERR_LEN, "%s", e.what());
    }
    a.buffer_unmap(buffer, &map);
    return r;
}

}  // namespace

extern "C" {

void *gl_gst_open(const char *pipeline, char *err) {
    const Api &a = api();
    GError *e = NULL;
    if (!a.ok || !a.init_check(NULL, NULL, &e)) {
        take(err, e, "this OpenCV was built without GStreamer");
        return NULL;
    }
    Pipeline *p = new Pipeline();
    p->top = a.parse_launch_full(pipeline, NULL, PARSE_FATAL_ERRORS, &e);
    if (!p->top) {
        take(err, e, "not a pipeline");
        delete p;
        return NULL;
    }
    p->sink = a.bin_get_by_name(p->top, GST_SINK);
    p->bus = a.element_get_bus(p->top);
    if (!p->sink || a.element_set_state(p->top, STATE_PLAYING) == STATE_CHANGE_FAILURE) {
        if (!failed(p, err)) snprintf(err, ERR_LEN, "the pipeline does not start");
        gl_gst_close(p);
        return NULL;
    }
    return p;
}

int gl_gst_read(void *handle, void *mat, unsigned long long wait_ns, char *err) {
    const Pipeline *p = static_cast<Pipeline *>(handle);
    void *sample = api().try_pull_sample(p->sink, wait_ns);
    if (!sample) {
        if (failed(p, err)) return -1;
        return api().is_eos(p->sink) ? 2 : 0;
    }
    const int r = unpack(sample, static_cast<cv::Mat *>(mat), err);
    api().mini_object_unref(sample);
    return r;
}

void gl_gst_close(void *handle) {
    Pipeline *p = static_cast<Pipeline *>(handle);
    api().element_set_state(p->top, STATE_NULL);
    api().object_unref(p->bus);
    if (p->sink) api().object_unref(p->sink);
    api().object_unref(p->top);
    delete p;
}

}  // extern "C"
