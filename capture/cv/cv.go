// Package cv is every frame source that OpenCV opens or decodes for: V4L2 cameras, RTSP and HTTP streams, video files,
// folders of pictures and GStreamer pipelines. NewDevice turns capture.Options into a capture.Device. What a frame is,
// who owns it and when a camera is opened again are not in it: see package capture and daemon/camera.go.
//
// Long because every kind of source is in it: each is a file or two over the same buffers, pacing and error texts.
package cv

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gleaner/capture"
)

// Warner is a Source that has something to say which is no error: controls that the camera did not take, files of a
// folder that are no pictures. The lines are for people; the list grows while the source is read and is bounded.
// Warnings may be called by the reading goroutine only.
type Warner interface{ Warnings() []string }

// Namer is a Source whose frames have names: the path of the picture that was read last. It may be called by the
// reading goroutine only.
type Namer interface{ Name() string }

// schemes lists what Options.Source may begin with, for the message about an unknown one.
const schemes = "belt:, v4l2:, rtsp://, rtsps://, http://, https://, file:, images:, gst: or a path"

// address is a parsed Options.Source.
type address struct {
	kind string // belt, v4l2, rtsp, http, file, images or gst
	arg  string // what follows the scheme; for rtsp and http the whole URL
}

// parse splits a source into its kind and argument. A plain path is a camera (/dev/video…), a folder, picture or glob
// (images) or else a clip (file).
func parse(source string) (address, error) {
	s := strings.TrimSpace(source)
	if s == "" {
		return address{}, fmt.Errorf("no source: want %s", schemes)
	}
	scheme, rest, found := strings.Cut(s, ":")
	if found {
		switch strings.ToLower(scheme) {
		case "belt":
			return address{"belt", rest}, nil
		case "v4l2":
			return withArg("v4l2", rest, "v4l2:/dev/v4l/by-id/… or v4l2:0")
		case "file":
			return withArg("file", localPath(rest), "file:clip.mp4")
		case "images":
			return withArg("images", localPath(rest), "images:folder, images:*.jpg or images:picture.png")
		case "gst":
			return withArg("gst", strings.TrimSpace(rest), "gst:videotestsrc")
		case "rtsp", "rtsps":
			return stream("rtsp", s)
		case "http", "https":
			return stream("http", s)
		}
		if isScheme(scheme) {
			if _, err := os.Lstat(s); err != nil {
				return address{}, fmt.Errorf("source %s: unknown scheme %q: want %s", redact(s), scheme, schemes)
			}
		}
	}
	return plainPath(s), nil
}

func withArg(kind, arg, example string) (address, error) {
	if arg == "" {
		return address{}, fmt.Errorf("source %s: is empty: want such as %s", kind, example)
	}
	return address{kind, arg}, nil
}

func stream(kind, url string) (address, error) {
	_, rest, ok := strings.Cut(url, "://")
	if !ok || rest == "" || strings.HasPrefix(rest, "/") {
		return address{}, fmt.Errorf("source %s: has no host: want such as %s://host/path", redact(url), kind)
	}
	return address{kind, url}, nil
}

// localPath takes the two slashes of file:///home/… away.
func localPath(s string) string {
	if rest, ok := strings.CutPrefix(s, "//"); ok && strings.HasPrefix(rest, "/") {
		return rest
	}
	return s
}

// isScheme reports whether s could be a URL scheme (RFC 3986, section 3.1) of two letters or more.
func isScheme(s string) bool {
	if len(s) < 2 {
		return false
	}
	for i, c := range s {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789+-.", c)) {
			return false
		}
	}
	return true
}

func plainPath(s string) address {
	if strings.HasPrefix(s, "/dev/video") || strings.HasPrefix(s, "/dev/v4l/") {
		return address{"v4l2", s}
	}
	st, err := os.Stat(s)
	switch {
	case err == nil && st.IsDir(), err != nil && strings.ContainsAny(s, "*?["):
		return address{"images", s}
	}
	switch strings.ToLower(filepath.Ext(s)) {
	case ".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp":
		return address{"images", s}
	}
	return address{"file", s}
}

// NewDevice is the camera, stream or clip that o.Source names. Nothing is opened yet: a camera that is absent today may
// be there when Open is called. The error says what is wrong with the options.
func NewDevice(o capture.Options) (capture.Device, error) {
	a, err := parse(o.Source)
	if err != nil {
		return nil, err
	}
	switch o.Pace {
	case "", "live", "fast":
	default:
		return nil, fmt.Errorf("pace %q: want live or fast", o.Pace)
	}
	if o.FourCC != "" && len(o.FourCC) != 4 {
		return nil, fmt.Errorf("fourcc %q: want four letters, such as MJPG or YUYV", o.FourCC)
	}
	if o.Width < 0 || o.Height < 0 || !(o.FPS >= 0 && o.FPS <= 1000) {
		return nil, fmt.Errorf("size %d×%d at %g frames/s: want 0 or more, and at most 1000 frames/s", o.Width, o.Height, o.FPS)
	}
	if _, err := parseControls(o.Controls); err != nil {
		return nil, err
	}
	if a.kind == "belt" {
		return newBelt(o)
	}
	return open(a, o)
}
