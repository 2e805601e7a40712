// limit is the bare loop that the pipeline is measured against: the same native calls on the same frames with the same
// gate, the same crops and the same pipelining (decoding in a thread of its own), and nothing else. Which frames the
// detector sees and which crops are classified come from a trace that `gleaner bench --trace` wrote of the same clip, so
// both programs do the same work.
//
//   limit CLIP TRACE DETECTOR CLASSIFIER WARMUP
//
// It prints one line of JSON: frames, seconds, cpu_ms_per_frame, frames_per_s, rss_mb, peak_rss_mb.
#include <sys/resource.h>
#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <mutex>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>
#include <opencv2/videoio.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tensorflow/lite/c/c_api.h"

// The XNNPACK delegate's header is not in the runtime's package; its functions are in the library.
extern "C" {
typedef struct {
  int32_t num_threads;
  uint32_t flags;
} TfLiteXNNPackDelegateOptions;
TfLiteXNNPackDelegateOptions TfLiteXNNPackDelegateOptionsDefault(void);
TfLiteDelegate* TfLiteXNNPackDelegateCreate(const TfLiteXNNPackDelegateOptions* options);
}

static void die(const char* what) {
  fprintf(stderr, "limit: %s\n", what);
  exit(1);
}

// Net is one interpreter on XNNPACK with one thread.
struct Net {
  TfLiteInterpreter* it = nullptr;
  TfLiteTensor* in = nullptr;
  int w = 0, h = 0;
  bool grey = false;
  explicit Net(const char* path) {
    TfLiteModel* m = TfLiteModelCreateFromFile(path);
    if (!m) die("a model cannot be read");
    TfLiteInterpreterOptions* o = TfLiteInterpreterOptionsCreate();
    TfLiteInterpreterOptionsSetNumThreads(o, 1);
    TfLiteXNNPackDelegateOptions x = TfLiteXNNPackDelegateOptionsDefault();
    x.num_threads = 1;
    TfLiteInterpreterOptionsAddDelegate(o, TfLiteXNNPackDelegateCreate(&x));
    it = TfLiteInterpreterCreate(m, o);
    if (!it || TfLiteInterpreterAllocateTensors(it) != kTfLiteOk) die("a model cannot be run");
    in = TfLiteInterpreterGetInputTensor(it, 0);
    h = TfLiteTensorDim(in, 1);
    w = TfLiteTensorDim(in, 2);
    grey = TfLiteTensorDim(in, 3) == 1;
  }
  // run resizes, swaps the colours, scales into the tensor's own memory and computes.
  void run(const cv::Mat& picture, cv::Mat& small) {
    cv::resize(picture, small, cv::Size(w, h), 0, 0, cv::INTER_LINEAR);
    cv::cvtColor(small, small, grey ? cv::COLOR_BGR2GRAY : cv::COLOR_BGR2RGB);
    const int type = grey ? CV_32FC1 : CV_32FC3;
    cv::Mat tensor(h, w, type, TfLiteTensorData(in));
    small.convertTo(tensor, type, 1 / 127.5, -1);
    if (TfLiteInterpreterInvoke(it) != kTfLiteOk) die("a model failed");
  }
  const float* out(int i) { return static_cast<const float*>(TfLiteTensorData(TfLiteInterpreterGetOutputTensor(it, i))); }
};

// Gate is the motion gate of detect/cv, step by step: 320 pixels wide, grey, brightness evened out by the median ratio,
// against the mean of the last two seconds.
struct Gate {
  cv::Mat small;
  std::vector<uint16_t> mean;
  static int grey(const uint8_t* p) { return (p[0] + 2 * p[1] + p[2]) >> 2; }
  int changed(const cv::Mat& frame) {
    cv::resize(frame, small, cv::Size(320, 320 * frame.rows / frame.cols), 0, 0, cv::INTER_LINEAR);
    const uint8_t* px = small.data;
    const size_t n = small.total();
    if (mean.size() != n) {
      mean.resize(n);
      for (size_t i = 0; i < n; i++) mean[i] = grey(px + 3 * i) << 8;
      return 0;
    }
    int hist[1024] = {}, seen = 0;
    for (size_t i = 0; i < n; i += 4)
      if (mean[i] > 8 << 8) hist[std::min((grey(px + 3 * i) << 16) / mean[i], 1023)]++, seen++;
    int gain = 256;
    for (int r = 0, below = 0; seen >= 64 && r < 1024; r++)
      if (below += hist[r], 2 * below > seen) {
        gain = r;
        break;
      }
    const int level = 18 << 8, follow = 12;
    int count = 0;
    for (size_t i = 0; i < n; i++) {
      const int now = grey(px + 3 * i) << 8, d = now - (mean[i] * gain >> 8);
      count += d > level || d < -level;
      mean[i] = mean[i] + (now - mean[i]) * follow / 256;
    }
    return count;
  }
};

struct Frame {
  bool detect;
  std::vector<cv::Rect> crops;
};

static std::vector<Frame> readTrace(const char* path) {
  std::ifstream f(path);
  if (!f) die("the trace cannot be read");
  std::vector<Frame> out;
  for (std::string line; std::getline(f, line);) {
    std::istringstream s(line);
    long seq;
    int detect, n;
    s >> seq >> detect >> n;
    Frame fr{detect != 0, {}};
    for (int i = 0; i < n; i++) {
      int x0, y0, x1, y1;
      s >> x0 >> y0 >> x1 >> y1;
      fr.crops.emplace_back(x0, y0, x1 - x0, y1 - y0);
    }
    out.push_back(fr);
  }
  return out;
}

// Hand is the hand-over between the decoding thread and the loop: a few pictures go round.
struct Hand {
  std::mutex mu;
  std::condition_variable cv;
  std::vector<cv::Mat*> free, full;
  bool end = false;
};

static double cpuMs() {
  rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static double wall() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static double statusMB(const char* key) {
  std::ifstream f("/proc/self/status");
  for (std::string line; std::getline(f, line);)
    if (line.rfind(key, 0) == 0) return atof(line.c_str() + strlen(key)) / 1024;
  return 0;
}

int main(int argc, char** argv) {
  if (argc != 6) die("needs CLIP TRACE DETECTOR CLASSIFIER WARMUP");
  std::vector<Frame> trace = readTrace(argv[2]);
  Net detector(argv[3]), classifier(argv[4]);
  const size_t warmup = strtoul(argv[5], nullptr, 10);

  Hand hand;
  std::vector<cv::Mat> mats(3);
  for (auto& m : mats) hand.free.push_back(&m);
  std::string clip = argv[1];
  std::thread reader([&] {
    cv::VideoCapture cap(clip);
    if (!cap.isOpened()) die("the clip cannot be opened");
    for (;;) {
      cv::Mat* m;
      {
        std::unique_lock<std::mutex> l(hand.mu);
        hand.cv.wait(l, [&] { return !hand.free.empty(); });
        m = hand.free.back();
        hand.free.pop_back();
      }
      bool ok = cap.read(*m);
      std::lock_guard<std::mutex> l(hand.mu);
      if (!ok) hand.end = true;
      else hand.full.push_back(m);
      hand.cv.notify_all();
      if (!ok) return;
    }
  });

  cv::Mat small;
  Gate gate;
  size_t n = 0;
  double cpu0 = 0, t0 = 0, sum = 0;
  for (;;) {
    cv::Mat* m;
    {
      std::unique_lock<std::mutex> l(hand.mu);
      hand.cv.wait(l, [&] { return !hand.full.empty() || hand.end; });
      if (hand.full.empty()) break;
      m = hand.full.front();
      hand.full.erase(hand.full.begin());
    }
    sum += gate.changed(*m);

    const Frame& fr = n < trace.size() ? trace[n] : trace.back();
    if (fr.detect) {
      detector.run(*m, small);
      sum += detector.out(0)[0] + detector.out(1)[0];
    }
    for (const auto& r : fr.crops) {
      classifier.run((*m)(r & cv::Rect(0, 0, m->cols, m->rows)), small);
      sum += classifier.out(0)[0];
    }
    {
      std::lock_guard<std::mutex> l(hand.mu);
      hand.free.push_back(m);
      hand.cv.notify_all();
    }
    if (++n == warmup) cpu0 = cpuMs(), t0 = wall();
  }
  double cpu = cpuMs() - cpu0, s = wall() - t0;
  reader.join();
  if (n <= warmup) die("the clip is shorter than the warm-up");
  size_t k = n - warmup;
  printf("{\"frames\":%zu,\"seconds\":%.3f,\"cpu_ms_per_frame\":%.4f,\"frames_per_s\":%.3f,\"rss_mb\":%.1f,\"peak_rss_mb\":%.1f,\"sum\":%.3f}\n",
         k, s, cpu / k, k / s, statusMB("VmRSS:"), statusMB("VmHWM:"), sum);
}
