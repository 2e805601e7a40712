//go:build cgo && !nonative

package onednn

import "runtime"

func (o Options) withDefaults() Options {
	if o.Threads <= 0 {
		o.Threads = min(runtime.NumCPU(), runtime.GOMAXPROCS(0))
	}
	if o.Library == "" {
		o.Library = "libdnnl.so.2"
	}
	return o
}
