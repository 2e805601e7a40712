//go:build !cgo || nonative

package daemon

import "testing"

// withModel reports that this build runs no network.
func withModel(*testing.T, *Options) bool { return false }
