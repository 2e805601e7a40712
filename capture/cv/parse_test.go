package cv

import (
	"strings"
	"testing"

	"gleaner/capture"
)

func TestParse(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ name, source, kind, arg, err string }{
		{"belt", "belt:", "belt", "", ""},
		{"camera by id", "v4l2:/dev/v4l/by-id/usb-카메라-index0", "v4l2", "/dev/v4l/by-id/usb-카메라-index0", ""},
		{"camera by index", "v4l2:0", "v4l2", "0", ""},
		{"camera as a plain path", "/dev/video2", "v4l2", "/dev/video2", ""},
		{"rtsp", "rtsp://host/a", "rtsp", "rtsp://host/a", ""},
		{"upper case", "RTSP://host/a", "rtsp", "RTSP://host/a", ""},
		{"http", "http://host/a.mjpg", "http", "http://host/a.mjpg", ""},
		{"https", "https://host/a.mjpg", "http", "https://host/a.mjpg", ""},
		{"clip", "file:한글/영상.mp4", "file", "한글/영상.mp4", ""},
		{"clip as URL", "file:///tmp/x.mp4", "file", "/tmp/x.mp4", ""},
		{"clip as a plain path", "clips/x.mp4", "file", "clips/x.mp4", ""},
		{"folder as a plain path", dir, "images", dir, ""},
		{"glob as a plain path", "a/*.jpg", "images", "a/*.jpg", ""},
		{"picture as a plain path", "사진.JPG", "images", "사진.JPG", ""},
		{"pictures", "images:가/나", "images", "가/나", ""},
		{"pipeline", "gst: videotestsrc ", "gst", "videotestsrc", ""},
		{"nothing", "  ", "", "", "no source: want belt:, v4l2:"},
		{"unknown scheme", "onvif://u:geheim@host/", "", "", `source onvif://u:***@host/: unknown scheme "onvif": want belt:, v4l2:`},
		{"empty argument", "file:", "", "", "source file: is empty: want such as file:clip.mp4"},
		{"no host", "rtsp:///x", "", "", "has no host"},
		{"no slashes", "http:host", "", "", "has no host"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := parse(c.source)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want one with %q", err, c.err)
				}
				return
			}
			if err != nil || a.kind != c.kind || a.arg != c.arg {
				t.Fatalf("got %+v, %v; want %s %s", a, err, c.kind, c.arg)
			}
		})
	}
}

func TestNewDeviceRefusesBadOptions(t *testing.T) {
	for _, c := range []struct {
		name string
		o    capture.Options
		err  string
	}{
		{"pace", capture.Options{Source: "file:x", Pace: "slow"}, `pace "slow": want live or fast`},
		{"fourcc", capture.Options{Source: "v4l2:0", FourCC: "MJPEG"}, `fourcc "MJPEG": want four letters`},
		{"size", capture.Options{Source: "v4l2:0", Width: -1}, "size -1×0"},
		{"control", capture.Options{Source: "v4l2:0", Controls: capture.Controls{WhiteBalance: "warm"}}, `controls.white_balance: "warm": want auto or a number`},
		{"control not finite", capture.Options{Source: "v4l2:0", Controls: capture.Controls{Gain: "NaN"}}, `controls.gain: "NaN"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := NewDevice(c.o); err == nil || !strings.Contains(err.Error(), c.err) {
				t.Fatalf("error %v, want one with %q", err, c.err)
			}
		})
	}
}

func TestRedact(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"no secret", "rtsp://host:554/stream?x=1", "rtsp://host:554/stream?x=1"},
		{"password", "rtsp://admin:1234@host/s", "rtsp://admin:***@host/s"},
		{"user alone", "rtsp://admin@host/s", "rtsp://admin@host/s"},
		{"at-sign in the password", "rtsp://admin:a@b@host/s", "rtsp://admin:***@host/s"},
		{"slash in the password", "rtsp://admin:a/b@host/s", "rtsp://admin:***@host/s"},
		{"at-sign in the path", "http://host:80/a@b", "http://host:80/a@b"},
		{"query", "http://host/s?user=a&password=b&w=3", "http://host/s?user=a&password=***&w=3"},
		{"token", "https://host/s?access_token=abc", "https://host/s?access_token=***"},
		{"pipeline", `rtspsrc location="rtsp://u:p@h/s" user-pw=geheim ! decodebin`, `rtspsrc location="rtsp://u:***@h/s" user-pw=*** ! decodebin`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := redact(c.in); got != c.want {
				t.Fatalf("got %s, want %s", got, c.want)
			}
		})
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("rtsp://admin:", "@host/s")
	f.Add("http://a:b", "@c@d/?password=x")
	f.Fuzz(func(t *testing.T, head, tail string) {
		// Whatever stands around it, a plain user:password@host must not come out.
		const secret = "S3cr3tS3cr3t"
		if strings.ContainsAny(head, "/@?#:\" \t") || strings.ContainsAny(tail, "\" \t") {
			return
		}
		if got := redact("rtsp://" + head + ":" + secret + "@h" + tail); strings.Contains(got, secret) {
			t.Fatalf("secret in %s", got)
		}
	})
}
