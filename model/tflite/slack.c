//go:build cgo && !nonative

// Go's runtime has a thread that looks after the others (sysmon in runtime/proc.go). While any of them is in a native
// call it looks every 20 µs, and only after 50 looks in vain less often. Here a native call is under way nearly always:
// it looked 60 times per frame, which was 5 % of the program's CPU, and the threads that compute were moved about.
// What it looks for is measured in milliseconds, so its sleeps may be a millisecond long: Linux lets a process say how
// late its timers may be (PR_SET_TIMERSLACK, prctl(2); 50 µs unless said otherwise). It is said before Go starts,
// because a thread takes the value of the one that made it. So every timer of the program may be a millisecond late, and
// none of them needs better.
#ifdef __linux__
#include <sys/prctl.h>

__attribute__((constructor)) static void allow_slack(void) {
  const int slack = 1000000;  // ns
  const int now = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);
  if (now >= 0 && now < slack) prctl(PR_SET_TIMERSLACK, slack, 0, 0, 0);
}
#endif
