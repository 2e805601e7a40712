package capture

import (
	"fmt"
	"strconv"
	"time"
)

// Options says which camera, stream or clip, and how to treat it. Width, Height, FPS, FourCC and the controls are asked
// of a V4L2 camera and of the belt; other sources have what they have.
type Options struct {
	// Source is what to open:
	//
	//	belt:                      the drawn sorting belt (Belt says what it draws)
	//	v4l2:/dev/v4l/by-id/…      a camera; v4l2:0 is /dev/video0
	//	rtsp://user:pass@host/path a stream, over TCP
	//	http://host/stream.mjpg    HTTP MJPEG
	//	file:path                  a video file
	//	images:path                a picture, a folder of pictures or a glob
	//	gst:pipeline               any GStreamer pipeline that ends in BGR frames (appsink is appended)
	Source string `yaml:"source"`

	Width  int     `yaml:"width"`  // pixels; 0: what the camera offers
	Height int     `yaml:"height"` // pixels; 0: what the camera offers
	FPS    float64 `yaml:"fps"`    // frames per second; 0: what the camera offers
	FourCC string  `yaml:"fourcc"` // four letters such as MJPG or YUYV; empty: what the camera offers

	Controls Controls    `yaml:"controls"` // what is locked on a V4L2 camera
	Belt     BeltOptions `yaml:"belt"`     // what "belt:" draws

	// Pace "live" plays a clip or pictures at their own rate and drops what comes too fast, as a camera would;
	// "fast" reads as fast as frames are wanted and drops nothing.
	Pace string `yaml:"pace"`
	Loop bool   `yaml:"loop"` // begin again at the end of a clip or folder

	// Latency is how long a frame takes from exposure to arrival; it is taken off the arrival to give Frame.Time.
	Latency time.Duration `yaml:"latency"`
	// Stall is how long without a frame until the camera counts as stalled and is opened anew.
	Stall time.Duration `yaml:"stall"`
	// BackoffMin and BackoffMax bound the wait before a camera is opened again; it doubles from one to the other,
	// with up to a quarter of jitter.
	BackoffMin time.Duration `yaml:"backoff_min"`
	BackoffMax time.Duration `yaml:"backoff_max"`
}

// Controls are what a sorting line locks so that colours and sharpness stay as they were in training. Each is empty
// (leave alone), "auto", or a number in the driver's own unit (v4l2-ctl --list-ctrls shows the ranges).
type Controls struct {
	Exposure     string `yaml:"exposure"`      // shutter time
	Gain         string `yaml:"gain"`          // amplification of the sensor
	WhiteBalance string `yaml:"white_balance"` // colour temperature, kelvin as a rule
	Focus        string `yaml:"focus"`         // distance of the lens
}

// DefaultOptions is a live source that counts as stalled after 3 s and reconnects after 250 ms to 3 s: a
// stream that takes a second to show its first frame is back within 5 s of its return.
func DefaultOptions() Options {
	return Options{Pace: "live", Stall: 3 * time.Second, BackoffMin: 250 * time.Millisecond,
		BackoffMax: 3 * time.Second, Belt: DefaultBeltOptions()}
}

// Validate names the first key that is out of range.
func (o Options) Validate() error {
	switch {
	case o.Width < 0 || o.Width > 16384:
		return fmt.Errorf("width: %d is not between 0 and 16384 pixels", o.Width)
	case o.Height < 0 || o.Height > 16384:
		return fmt.Errorf("height: %d is not between 0 and 16384 pixels", o.Height)
	case o.FPS < 0 || o.FPS > 1000:
		return fmt.Errorf("fps: %g is not between 0 and 1000", o.FPS)
	case o.FourCC != "" && len(o.FourCC) != 4:
		return fmt.Errorf("fourcc: %q is not four letters, such as MJPG", o.FourCC)
	case o.Pace != "live" && o.Pace != "fast":
		return fmt.Errorf("pace: %q is not live or fast", o.Pace)
	case o.Latency < 0 || o.Latency > time.Minute:
		return fmt.Errorf("latency: %s is not between 0 and 1m", o.Latency)
	case o.Stall < 100*time.Millisecond:
		return fmt.Errorf("stall: %s is shorter than 100ms", o.Stall)
	case o.BackoffMin < 10*time.Millisecond:
		return fmt.Errorf("backoff_min: %s is shorter than 10ms", o.BackoffMin)
	case o.BackoffMax < o.BackoffMin:
		return fmt.Errorf("backoff_max: %s is shorter than backoff_min (%s)", o.BackoffMax, o.BackoffMin)
	}
	for _, c := range []struct{ key, val string }{{"exposure", o.Controls.Exposure}, {"gain", o.Controls.Gain},
		{"white_balance", o.Controls.WhiteBalance}, {"focus", o.Controls.Focus}} {
		if _, err := strconv.ParseFloat(c.val, 64); c.val != "" && c.val != "auto" && err != nil {
			return fmt.Errorf("controls.%s: %q is not auto or a number", c.key, c.val)
		}
	}
	return nil
}
