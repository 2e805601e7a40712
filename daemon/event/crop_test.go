package event_test

import (
	"bytes"
	"encoding/json"
	"image"
	"image/jpeg"
	"math"
	"strings"
	"testing"

	"gleaner/daemon/event"
)

// TestCropIsAJPEG: the payload opens as a picture, and its comment is the record's key.
func TestCropIsAJPEG(t *testing.T) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, 20, 10)), nil); err != nil {
		t.Fatal(err)
	}
	c := liveCrop()
	c.JPEG = b.Bytes()
	got := payload(t, c)
	im, err := jpeg.Decode(bytes.NewReader(got))
	if err != nil || im.Bounds() != image.Rect(0, 0, 20, 10) {
		t.Errorf("decoded %v, %v", im.Bounds(), err)
	}
	note, err := event.CropComment(got)
	if err != nil {
		t.Fatal(err)
	}
	var back event.Crop
	if err := json.Unmarshal(note, &back); err != nil || back.ID != c.ID || back.Class != c.Class || back.Schema != event.CropSchema {
		t.Errorf("comment %s, %v", note, err)
	}
	if !bytes.Equal(c.JPEG, b.Bytes()) {
		t.Error("the event's own picture was changed")
	}
}

func TestCropRefuses(t *testing.T) {
	for name, change := range map[string]func(*event.Crop){
		"no picture":            func(c *event.Crop) { c.JPEG = nil },
		"another picture":       func(c *event.Crop) { c.JPEG = []byte("GIF89a....") },
		"a comment of 64 KiB":   func(c *event.Crop) { c.Class = strings.Repeat("x", 1<<16) },
		"a number that is none": func(c *event.Crop) { c.P = event.Prob(math.Inf(1)) },
	} {
		t.Run(name, func(t *testing.T) {
			c := liveCrop()
			change(&c)
			if _, err := event.Marshal(c); err == nil {
				t.Error("marshalled")
			}
		})
	}
}

func FuzzCropComment(f *testing.F) {
	good, err := event.Marshal(liveCrop())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte{0xff, 0xd8, 0xff, 0xd9})
	f.Add([]byte{0xff, 0xd8, 0xff, 0xfe, 0, 1, 2})
	f.Add([]byte{0xff, 0xd8, 0xff, 0xfe, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		note, err := event.CropComment(b)
		if err == nil && len(note) > len(b)-6 {
			t.Errorf("a comment of %d bytes in %d", len(note), len(b))
		}
	})
}
