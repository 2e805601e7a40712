package cv

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"gleaner/capture"
)

// OpenCV's property numbers (videoio.hpp, enum VideoCaptureProperties), as far as they are used here.
const (
	propPosMsec      = 0
	propWidth        = 3
	propHeight       = 4
	propFPS          = 5
	propFourCC       = 6
	propGain         = 14
	propExposure     = 15
	propAutoExposure = 21
	propFocus        = 28
	propBufferSize   = 38
	propAutoFocus    = 39
	propAutoWB       = 44
	propWBTemp       = 45
	propOpenTimeout  = 53
	propReadTimeout  = 54
)

// control is one thing to lock on a camera.
type control struct {
	name  string
	set   bool
	auto  bool
	value float64
	// prop is the value's property and autoProp its automatic's, -1 if the camera has none; on and off are what
	// autoProp takes. V4L2_CID_EXPOSURE_AUTO is a menu, 1 manual and 3 aperture priority, which is the automatic that
	// webcams have; the others are booleans (Linux media documentation, "Camera Control Reference").
	prop, autoProp int
	on, off        float64
}

// parseControls reads "auto" or a number for each control; an empty one is left alone.
func parseControls(c capture.Controls) ([]control, error) {
	list := []control{
		{name: "exposure", prop: propExposure, autoProp: propAutoExposure, on: 3, off: 1},
		{name: "gain", prop: propGain, autoProp: -1},
		{name: "white_balance", prop: propWBTemp, autoProp: propAutoWB, on: 1, off: 0},
		{name: "focus", prop: propFocus, autoProp: propAutoFocus, on: 1, off: 0},
	}
	for i, text := range []string{c.Exposure, c.Gain, c.WhiteBalance, c.Focus} {
		text = strings.TrimSpace(text)
		k := &list[i]
		switch {
		case text == "":
			continue
		case strings.EqualFold(text, "auto"):
			k.auto = true
		default:
			v, err := strconv.ParseFloat(text, 64)
			if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("controls.%s: %q: want auto or a number", k.name, text)
			}
			k.value = v
		}
		k.set = true
	}
	return list, nil
}

// getSetter is the part of an open camera that applyFormat and applyControls use.
type getSetter interface {
	Get(prop int) float64
	Set(prop int, v float64) bool
}

// applyFormat asks for pixel format, size and rate, in this order because a driver offers sizes per format and rates
// per size. It returns one line for each that the camera gave otherwise.
func applyFormat(d getSetter, o capture.Options) (warnings []string) {
	if o.FourCC != "" {
		want := fourCC(o.FourCC)
		d.Set(propFourCC, want)
		if got := d.Get(propFourCC); got != want {
			warnings = append(warnings, fmt.Sprintf("fourcc: asked for %s, the camera gives %s", o.FourCC, fourCCName(got)))
		}
	}
	if o.Width > 0 && o.Height > 0 {
		// OpenCV's V4L2 waits for both before it asks the driver.
		d.Set(propWidth, float64(o.Width))
		d.Set(propHeight, float64(o.Height))
		if w, h := d.Get(propWidth), d.Get(propHeight); w != float64(o.Width) || h != float64(o.Height) {
			warnings = append(warnings, fmt.Sprintf("size: asked for %d×%d, the camera gives %.0f×%.0f", o.Width, o.Height, w, h))
		}
	}
	if o.FPS > 0 {
		d.Set(propFPS, o.FPS)
		if got := d.Get(propFPS); math.Abs(got-o.FPS) > 0.01*o.FPS {
			warnings = append(warnings, fmt.Sprintf("fps: asked for %g, the camera gives %g", o.FPS, got))
		}
	}
	return warnings
}

// applyControls sets each control and reads it back, for a driver may take a value and clamp it, or have none. It
// returns one line for each that is not as asked.
func applyControls(d getSetter, controls []control) (warnings []string) {
	for _, c := range controls {
		if w := applyControl(d, c); w != "" {
			warnings = append(warnings, w)
		}
	}
	return warnings
}

func applyControl(d getSetter, c control) string {
	if !c.set {
		return ""
	}
	if c.auto {
		if c.autoProp < 0 {
			return fmt.Sprintf("%s: this camera interface has no automatic %s; give a number", c.name, c.name)
		}
		if !d.Set(c.autoProp, c.on) {
			return fmt.Sprintf("%s: the camera did not accept auto", c.name)
		}
		return ""
	}
	// Manual first: a driver refuses, or takes and ignores, a value while its automatic runs. That the camera has no
	// automatic is no fault; the value decides.
	if c.autoProp >= 0 {
		d.Set(c.autoProp, c.off)
	}
	if !d.Set(c.prop, c.value) {
		return fmt.Sprintf("%s: the camera did not accept %g (v4l2-ctl --list-ctrls shows its ranges)", c.name, c.value)
	}
	if got := d.Get(c.prop); math.Abs(got-c.value) > 0.5 {
		return fmt.Sprintf("%s: asked for %g, the camera took %g (v4l2-ctl --list-ctrls shows its ranges)", c.name, c.value, got)
	}
	return ""
}

// fourCC packs four letters, the first in the low byte, as videoio.hpp's VideoWriter::fourcc does.
func fourCC(s string) float64 {
	return float64(uint32(s[0]) | uint32(s[1])<<8 | uint32(s[2])<<16 | uint32(s[3])<<24)
}

func fourCCName(v float64) string {
	n := uint32(int64(v))
	b := []byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24)}
	for _, c := range b {
		if c < 0x20 || c > 0x7e {
			return fmt.Sprintf("%#x", n)
		}
	}
	return string(b)
}
