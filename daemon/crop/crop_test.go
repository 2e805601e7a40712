package crop

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"gleaner/capture"
	"gleaner/daemon/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shade is a w×h image of one colour.
func shade(w, h int, b, g, r byte) capture.Image {
	im := capture.NewImage(w, h)
	for i := 0; i < len(im.Pix); i += 3 {
		im.Pix[i], im.Pix[i+1], im.Pix[i+2] = b, g, r
	}
	return im
}

func (s Stats) balance() error {
	sum := s.Made + uint64(s.Waiting)
	for _, n := range s.Lost {
		sum += n
	}
	if s.Asked != sum {
		return fmt.Errorf("%+v does not add up", s)
	}
	return nil
}

// TestPictures: size, colours, the copy, and the end.
func TestPictures(t *testing.T) {
	for _, c := range []struct {
		name string
		w, h int
		want image.Point
	}{{"small", 40, 30, image.Pt(40, 30)}, {"wide", 640, 320, image.Pt(320, 160)}, {"high", 100, 1000, image.Pt(32, 320)},
		{"a thread", 2000, 2, image.Pt(320, 1)}, {"one pixel", 1, 1, image.Pt(1, 1)}} {
		t.Run(c.name, func(t *testing.T) {
			var got []event.Crop
			m := NewMaker(DefaultOptions(), func(c event.Crop) { got = append(got, c) })
			im := shade(c.w, c.h, 20, 100, 200)
			s := m.Take(nil, im)
			clear(im.Pix) // the frame is somebody else's by now
			m.Send(s, event.Crop{ID: "x"})
			if err := m.Close(); err != nil || m.Close() != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || got[0].ID != "x" {
				t.Fatalf("%d pictures", len(got))
			}
			dec, err := jpeg.Decode(bytes.NewReader(got[0].JPEG))
			if err != nil || dec.Bounds().Size() != c.want {
				t.Fatalf("%v, %v, want %v", dec.Bounds(), err, c.want)
			}
			r, g, b, _ := dec.At(c.want.X/2, c.want.Y/2).RGBA()
			if near(r>>8, 200) || near(g>>8, 100) || near(b>>8, 20) {
				t.Errorf("colour %d %d %d, want 200 100 20", r>>8, g>>8, b>>8)
			}
			if st := m.Stats(); st.Made != 1 || st.balance() != nil {
				t.Errorf("%+v", st)
			}
		})
	}
}

func near(v, want uint32) bool { return max(v, want)-min(v, want) > 4 }

// TestBounded: no more slots than there are, none of them lost, and no wait.
func TestBounded(t *testing.T) {
	gate := make(chan struct{})
	var mu sync.Mutex
	made := 0
	m := NewMaker(DefaultOptions(), func(event.Crop) { <-gate; mu.Lock(); made++; mu.Unlock() })
	im := shade(8, 8, 1, 2, 3)
	var held []*Shot
	for s := m.Take(nil, im); s != nil; s = m.Take(nil, im) {
		held = append(held, s)
	}
	if len(held) != shots {
		t.Errorf("%d slots, want %d", len(held), shots)
	}
	if again := m.Take(held[0], im); again != held[0] {
		t.Error("a slot that is held was not filled again")
	}
	if s := m.Take(held[0], capture.Image{}); s != held[0] {
		t.Error("an empty crop took the slot away")
	}
	m.Miss(LostBusy)
	m.Miss(LostNoPicture)
	for i, s := range held {
		if i%2 == 0 {
			m.Send(s, event.Crop{})
		} else {
			m.Drop(s)
		}
		if err := m.Stats().balance(); err != nil {
			t.Error(err)
		}
	}
	m.Drop(nil)
	close(gate)
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if st := m.Stats(); made != shots/2 || st.Made != shots/2 || st.Lost != [losses]uint64{1, 1} || st.balance() != nil || len(m.free) != shots {
		t.Errorf("%d made, %d slots free: %+v", made, len(m.free), st)
	}
}

// TestTooLarge: what a broker would refuse is not sent.
func TestTooLarge(t *testing.T) {
	o := Options{CropQuality: 100, CropMaxSide: 512}
	m := NewMaker(o, func(event.Crop) { t.Error("published") })
	im := capture.NewImage(512, 512)
	seed := uint32(1)
	for i := range im.Pix { // noise does not compress
		seed = seed*1664525 + 1013904223
		im.Pix[i] = byte(seed >> 24)
	}
	m.Send(m.Take(nil, im), event.Crop{})
	if err := m.Close(); err != nil || m.Stats().Lost[LostTooLarge] != 1 {
		t.Errorf("%v, %+v", err, m.Stats())
	}
}

// TestTakeAllocatesNothing once its slot is large enough.
func TestTakeAllocatesNothing(t *testing.T) {
	m := NewMaker(DefaultOptions(), func(event.Crop) {})
	defer m.Close()
	im := shade(500, 400, 1, 2, 3)
	s := m.Take(nil, im)
	if n := testing.AllocsPerRun(50, func() { s = m.Take(s, im) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
	m.Drop(s)
}

func TestValidate(t *testing.T) {
	if err := DefaultOptions().Validate(); err != nil || DefaultOptions().Crop {
		t.Error("the default", err)
	}
	for want, o := range map[string]Options{"crop_quality: 0": {CropMaxSide: 100}, "crop_quality: 101": {CropQuality: 101},
		"crop_max_side: 8": {CropQuality: 80, CropMaxSide: 8}, "crop_max_side: 513": {CropQuality: 80, CropMaxSide: 513}} {
		if err := o.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	for _, l := range Losses() {
		if l.String() == "" {
			t.Error("a reason without a name")
		}
	}
}
