//go:build !cgo || nonative

package prep

import "gleaner/capture"

const native = false

func (p *Prep) fillNative(out []byte, im capture.Image, iw, ih int) { p.fillGo(out, im, iw, ih) }
