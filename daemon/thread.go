package daemon

import "runtime"

// keepThread holds the calling goroutine, a camera's reader or pipeline, on one thread until the function that it returns is
// called. A goroutine that spends its time in native calls otherwise goes on with another thread after many of them, on
// whichever processor that was. With more cameras than processors threads would have to wait for each other, and it is left
// to the scheduler: on two processors one and two cameras got faster, four slower.
func keepThread(cameras int) (let func()) {
	if cameras > runtime.GOMAXPROCS(0) {
		return func() {}
	}
	runtime.LockOSThread()
	return runtime.UnlockOSThread
}
