package capture_test

import (
	"context"
	"errors"
	"hash/fnv"
	"image"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gleaner/capture"
	"gleaner/capture/pictures"
)

// discs is a picture set of white discs (class 0) and bars (class 1) on black, 28×28.
type discs struct{ broken int }

func (discs) Labels() []string  { return []string{"disc", "bar"} }
func (discs) Len() int          { return 40 }
func (discs) Label(i int) int   { return i % 2 }
func (discs) Path(i int) string { return "drawn" }
func (discs) Cutout() bool      { return true }

func (d discs) Image(i int) (capture.Image, error) {
	if i < d.broken {
		return capture.Image{}, errors.New("broken on purpose")
	}
	im := capture.NewImage(28, 28)
	for y := range 28 {
		for x := range 28 {
			dx, dy := 2*x-27, 2*y-27
			if (i%2 == 0 && dx*dx+dy*dy < 24*24) || (i%2 == 1 && dx*dx < 100 && dy*dy < 600) {
				copy(im.Pix[3*(28*y+x):], "\xff\xff\xff")
			}
		}
	}
	return im, nil
}

// replayed is a small belt with eight items, quickly over: what is drawn at all costs the race detector dear.
func replayed() capture.Options {
	o := capture.DefaultOptions()
	o.Pace = "fast"
	o.Width, o.Height, o.FPS = 160, 120, 10
	o.Belt.Count, o.Belt.Speed, o.Belt.Gap = 8, 300, 40
	return o
}

func open(t *testing.T, o capture.Options, pics capture.Pictures) (*capture.Belt, capture.Source) {
	t.Helper()
	b, err := capture.NewBelt(o, pics)
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return b, s
}

// play reads the belt to its end and shows every frame to look.
func play(t *testing.T, b *capture.Belt, s capture.Source, look func(n int, at time.Time, im capture.Image)) int {
	t.Helper()
	buf := b.NewBuffer()
	for n := 0; ; n++ {
		at, err := s.Read(t.Context(), buf)
		if err == io.EOF {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
		look(n, at, buf.Image())
	}
}

// bright is the box of what is far brighter than the belt, rails aside.
func bright(im capture.Image) image.Rectangle {
	var r image.Rectangle
	for y := 26; y < im.H-26; y++ {
		row := im.Row(y)
		for x := range im.W {
			if row[3*x+2] > 145 { // the belt's red is far below
				r = r.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return r
}

func TestBeltTruthIsWhereThePixelsAre(t *testing.T) {
	for _, dir := range []string{"right", "left"} {
		t.Run(dir, func(t *testing.T) {
			o := replayed()
			o.Width, o.Height, o.FPS = 640, 360, 30
			o.Belt.Direction, o.Belt.Gap, o.Belt.Tint, o.Belt.Touching, o.Belt.Count = dir, 1700, 0, 0, 2
			o.Belt.Speed = 900
			b, s := open(t, o, discs{})
			boxes := map[int]image.Rectangle{}
			play(t, b, s, func(n int, _ time.Time, im capture.Image) {
				if r := bright(im); !r.Empty() && r.Min.X > 0 && r.Max.X < im.W {
					boxes[n] = r
				}
			})
			truth := b.Truth()
			if len(truth) != 2 || len(b.Passed()) != 2 {
				t.Fatalf("%d items, %d passed, want 2", len(truth), len(b.Passed()))
			}
			for _, it := range truth {
				for n := it.FirstFull + 2; n < it.LastFull-2; n++ {
					want, ok := b.BoxAt(it, n)
					got := boxes[n]
					if !ok || !got.In(want.Inset(-6)) || !want.In(got.Inset(-6)) {
						t.Fatalf("item %d, frame %d: truth %v, pixels %v", it.Index, n, want, got)
					}
				}
				mid, _ := b.BoxAt(it, it.Centre)
				if c := (mid.Min.X + mid.Max.X) / 2; c < 320-32 || c > 320+32 {
					t.Errorf("item %d crosses the middle at %d", it.Index, c)
				}
				if it.Enter < 0 || it.Enter >= it.FirstFull || it.Centre <= it.FirstFull || it.LastFull <= it.Centre || it.Leave <= it.LastFull || !it.Gone {
					t.Errorf("frames out of order: %+v", it)
				}
			}
		})
	}
}

func TestBeltIsTheSameForASeed(t *testing.T) {
	digest := func(seed uint64) (uint64, int) {
		o := replayed()
		o.Belt.Seed, o.Belt.Count = seed, 3
		b, s := open(t, o, discs{})
		h := fnv.New64a()
		var last time.Time
		n := play(t, b, s, func(n int, at time.Time, im capture.Image) {
			_, _ = h.Write(im.Pix)
			if want := time.Duration(float64(n) / 10 * 1e9); at.Sub(time.Unix(0, 0)) != want {
				t.Fatalf("frame %d is of %v, want %v after the epoch", n, at, want)
			}
			if b.FrameAt(at) != n || !b.TimeOf(n).Equal(at) {
				t.Fatalf("frame %d: FrameAt %d, TimeOf %v", n, b.FrameAt(at), b.TimeOf(n))
			}
			last = at
		})
		if last.IsZero() {
			t.Error("no frame")
		}
		return h.Sum64(), n
	}
	a, na := digest(1)
	if again, n := digest(1); again != a || n != na {
		t.Errorf("the same seed gave %x (%d frames), then %x (%d)", a, na, again, n)
	}
	if other, _ := digest(2); other == a {
		t.Error("another seed gave the same frames")
	}
}

func TestBeltReopenedBeginsAnew(t *testing.T) {
	o := replayed()
	o.Belt.Count = 1
	b, s := open(t, o, discs{})
	first := play(t, b, s, func(int, time.Time, capture.Image) {})
	if _, err := s.Read(t.Context(), b.NewBuffer()); err != io.EOF {
		t.Errorf("after the end: %v, want io.EOF", err)
	}
	s, err := b.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if n := play(t, b, s, func(int, time.Time, capture.Image) {}); n != first || len(b.Truth()) != 1 {
		t.Errorf("%d frames and %d items, the first time %d and 1", n, len(b.Truth()), first)
	}
}

func TestBeltStopsAndReverses(t *testing.T) {
	o := replayed()
	o.FPS = 30
	o.Belt.Count, o.Belt.Speed, o.Belt.Gap = 6, 100, 60
	o.Belt.StopEvery, o.Belt.StopFor = 3*time.Second, time.Second
	o.Belt.ReverseEvery, o.Belt.ReverseFor = 5*time.Second, time.Second
	b, s := open(t, o, discs{})
	var still, forth, back, lastX int
	var follow *capture.Item
	play(t, b, s, func(n int, _ time.Time, _ capture.Image) {
		if all := b.Truth(); follow == nil && len(all) > 0 {
			follow = &all[0]
			r, _ := b.BoxAt(*follow, n)
			lastX = r.Min.X
			return
		}
		if follow == nil {
			return
		}
		r, _ := b.BoxAt(*follow, n)
		switch d := r.Min.X - lastX; {
		case d == 0:
			still++
		case d > 0 && d <= 4:
			forth++
		case d < 0 && d >= -4:
			back++
		default:
			t.Errorf("frame %d: a leap of %d px", n, d)
		}
		lastX = r.Min.X
	})
	if still < 15 || back < 15 || forth < 60 {
		t.Errorf("%d frames standing, %d backwards, %d forwards", still, back, forth)
	}
	for _, it := range b.Truth() {
		if !it.Gone || it.Centre < 0 {
			t.Errorf("item %d did not leave: %+v", it.Index, it)
		}
	}
}

func TestBeltNeighbours(t *testing.T) {
	for _, dir := range []string{"right", "left"} {
		o := replayed()
		o.Belt.Direction, o.Belt.Count, o.Belt.Touching, o.Belt.Speed, o.Belt.Gap = dir, 60, 0.3, 900, 80
		b, s := open(t, o, discs{})
		play(t, b, s, func(int, time.Time, capture.Image) {})
		truth := b.Truth()
		if p, bad := b.PassedCount(); p != 60 || bad != 0 || len(truth) != 60 {
			t.Fatalf("%s: %d passed, %d unreadable, %d in the truth", dir, p, bad, len(truth))
		}
		pairs := 0
		for i := 1; i < len(truth); i++ {
			before, it := truth[i-1], truth[i]
			gap := before.X - it.X - it.W
			if dir == "left" {
				gap = it.X - before.X - before.W
			}
			if gap <= 0 {
				pairs++
			}
			if gap <= 0 && !(it.Touching && before.Touching) {
				t.Errorf("%s: items %d and %d lie on each other (%d) and are not marked", dir, i-1, i, gap)
			}
			if gap > 128 || (gap > 0 && gap < 31) {
				t.Errorf("%s: items %d and %d are %d px apart, not 0.4 to 1.6 times 80", dir, i-1, i, gap)
			}
		}
		if pairs < 8 || pairs > 30 {
			t.Errorf("%s: %d of 59 touch, asked for 30 %%", dir, pairs)
		}
	}
}

func TestBeltSteadyFramesAllocateNothing(t *testing.T) {
	o := replayed()
	o.Belt.Gap, o.Belt.Count = 60000, 0
	b, s := open(t, o, discs{})
	buf := b.NewBuffer()
	ctx := context.Background()
	for range 5 {
		if _, err := s.Read(ctx, buf); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := s.Read(ctx, buf); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations per frame", n)
	}
}

func TestBeltLightAndNoiseStayInTheByte(t *testing.T) {
	mean := func(edit func(*capture.BeltOptions)) []float64 {
		o := replayed()
		o.Width, o.Height = 322, 240 // a row that is no multiple of sixteen bytes
		o.Belt.Count, o.Belt.Noise, o.Belt.LightDrift = 2, 5, 0
		edit(&o.Belt)
		b, s := open(t, o, discs{})
		var means []float64
		play(t, b, s, func(_ int, _ time.Time, im capture.Image) {
			sum := 0
			for y := 30; y < 60; y++ { // belt and items: nothing here is darker than 20 or can wrap to it
				for _, v := range im.Row(y) {
					sum += int(v)
					if v < 5 {
						t.Fatalf("a value of %d: noise ran out of the byte", v)
					}
				}
			}
			means = append(means, float64(sum)/float64(30*3*im.W))
		})
		return means
	}
	plain := mean(func(*capture.BeltOptions) {})
	stepped := mean(func(o *capture.BeltOptions) { o.LightStep, o.LightStepEvery = 0.2, time.Second })
	for i := range 20 {
		ratio := stepped[i] / plain[i]
		if dark := i/10%2 == 1; (dark && (ratio < 0.76 || ratio > 0.84)) || (!dark && (ratio < 0.98 || ratio > 1.02)) {
			t.Errorf("frame %d: %.3f of the light", i, ratio)
		}
	}
}

func TestBeltKeepsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := capture.DefaultOptions()
		o.Width, o.Height, o.FPS = 160, 120, 10
		b, s := open(t, o, discs{})
		if b.Finite() {
			t.Error("a live belt is not finite")
		}
		buf := b.NewBuffer()
		start := time.Now()
		for n := range 5 {
			at, err := s.Read(t.Context(), buf)
			if err != nil {
				t.Fatal(err)
			}
			if want := start.Add(time.Duration(n) * 100 * time.Millisecond); !at.Equal(want) || !time.Now().Equal(want) {
				t.Fatalf("frame %d at %v, read at %v, want %v", n, at, time.Now(), want)
			}
		}
		time.Sleep(time.Second + 30*time.Millisecond) // nobody reads: the belt runs on
		if at, err := s.Read(t.Context(), buf); err != nil || !at.Equal(start.Add(1400*time.Millisecond)) {
			t.Errorf("after a pause: %v, %v, want frame 14", at.Sub(start), err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		if _, err := s.Read(ctx, buf); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a cancelled wait: %v", err)
		}
		_ = s.Close()
		s, err := b.Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if at, err := s.Read(t.Context(), buf); err != nil || !at.Equal(start.Add(1500*time.Millisecond)) {
			t.Errorf("reopened: %v, %v, want frame 15", at.Sub(start), err)
		}
	})
}

func TestBeltTruthWhileItRuns(t *testing.T) {
	o := replayed()
	b, s := open(t, o, discs{})
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for _, it := range b.Passed() {
				if it.Enter < 0 || it.Centre < it.Enter {
					t.Errorf("half-written item %+v", it)
					return
				}
			}
			b.Score(b.Truth(), nil)
			time.Sleep(100 * time.Microsecond)
		}
	})
	play(t, b, s, func(int, time.Time, capture.Image) {})
	close(stop)
	wg.Wait()
}

func TestBeltPassesOverBrokenPictures(t *testing.T) {
	o := replayed()
	o.Belt.Count = 10
	b, s := open(t, o, discs{broken: 20})
	play(t, b, s, func(int, time.Time, capture.Image) {})
	if passed, bad := b.PassedCount(); passed != 10 || bad == 0 {
		t.Errorf("%d passed, %d unreadable", passed, bad)
	}
	_, s = open(t, o, discs{broken: 40})
	if _, err := s.Read(t.Context(), b.NewBuffer()); err == nil || !strings.Contains(err.Error(), "none of 40 pictures") {
		t.Errorf("nothing to read: %v", err)
	}
}

func TestBeltRefuses(t *testing.T) {
	for _, c := range []struct {
		name, want string
		edit       func(*capture.Options)
	}{
		{"speed", "speed: 0 is not within", func(o *capture.Options) { o.Belt.Speed = 0 }},
		{"direction", `direction: "up"`, func(o *capture.Options) { o.Belt.Direction = "up" }},
		{"class", `no class "sofa"`, func(o *capture.Options) { o.Belt.Classes = []string{"sofa"} }},
		{"sizes", "size_min: 9 is above", func(o *capture.Options) { o.Belt.SizeMin, o.Belt.SizeMax = 9, 8 }},
		{"huge items", "do not fit", func(o *capture.Options) { o.Belt.SizeMax = 700 }},
		{"stop", "stop_for", func(o *capture.Options) { o.Belt.StopFor = time.Minute }},
		{"frame", "a frame of 20×120", func(o *capture.Options) { o.Width = 20 }},
		{"rate", "frames per second", func(o *capture.Options) { o.FPS = 1e6 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := replayed()
			c.edit(&o)
			if _, err := capture.NewBelt(o, discs{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestBeltClasses(t *testing.T) {
	o := replayed()
	o.Belt.Classes = []string{"bar"}
	b, s := open(t, o, discs{})
	play(t, b, s, func(int, time.Time, capture.Image) {})
	for _, it := range b.Truth() {
		if it.Label != "bar" || it.Class != 1 || it.Picture%2 != 1 {
			t.Errorf("item %+v among bars", it)
		}
	}
}

func TestRenderItemShowsTheGarmentInItsBox(t *testing.T) {
	o := capture.DefaultBeltOptions()
	o.Tint = 0
	im, box, err := capture.RenderItem(discs{}, 0, rand.New(rand.NewPCG(3, 4)), o)
	if err != nil {
		t.Fatal(err)
	}
	again, same, _ := capture.RenderItem(discs{}, 0, rand.New(rand.NewPCG(3, 4)), o)
	if string(im.Pix) != string(again.Pix) || box != same {
		t.Error("the same draw gave another picture")
	}
	if !box.In(im.Bounds()) || box.Dx() < 100 || box.Dy() < 100 {
		t.Fatalf("box %v in %v", box, im.Bounds())
	}
	centre, rim := im.Sub(box.Inset(box.Dx()/3)), im.Sub(image.Rect(0, 0, 20, 20))
	if c, r := red(centre), red(rim); c < 150 || r > 110 {
		t.Errorf("mean red %d in the garment, %d on the belt", c, r)
	}
}

func red(im capture.Image) int {
	sum := 0
	for y := range im.H {
		for x := range im.W {
			sum += int(im.Row(y)[3*x+2])
		}
	}
	return sum / (im.W * im.H)
}

// TestBeltCarriesRealGarments looks at what the demo shows: every garment must stand out from the belt.
func TestBeltCarriesRealGarments(t *testing.T) {
	set, err := pictures.Open("fashion-mnist")
	if err != nil {
		t.Skip(err)
	}
	s, err := capture.NewStills(capture.DefaultBeltOptions(), set.Cutout())
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	pale := 0
	for i := range 60 {
		raw, err := set.Image(i)
		if err != nil {
			t.Fatal(err)
		}
		im, box := s.Render(raw, rng)
		if !box.In(im.Bounds()) || box.Dx() < 25 || box.Dy() < 25 {
			t.Fatalf("garment %d: box %v in %v", i, box, im.Bounds())
		}
		if contrast(im, box) < 0.3 {
			pale++
		}
	}
	if pale > 1 {
		t.Errorf("%d of 60 garments are hard to tell from the belt", pale)
	}
}

// contrast is the share of the box that is further than 24 grey levels from the belt's mean in some channel.
func contrast(im capture.Image, box image.Rectangle) float64 {
	var belt [3]int
	rim := im.Sub(image.Rect(0, 0, im.W, 12))
	for p, v := range rim.CopyTo(capture.Image{}).Pix {
		belt[p%3] += int(v)
	}
	in := im.Sub(box)
	n := 0
	for y := range in.H {
		row := in.Row(y)
		for x := range in.W {
			for c := range 3 {
				if d := int(row[3*x+c]) - belt[c]/(rim.W*rim.H); d > 24 || d < -24 {
					n++
					break
				}
			}
		}
	}
	return float64(n) / float64(in.W*in.H)
}

func BenchmarkBelt(b *testing.B) {
	set, err := pictures.Open("fashion-mnist")
	if err != nil {
		b.Skip(err)
	}
	o := capture.DefaultOptions()
	o.Pace = "fast"
	belt, err := capture.NewBelt(o, set)
	if err != nil {
		b.Fatal(err)
	}
	s, err := belt.Open(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	buf := belt.NewBuffer()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Read(b.Context(), buf); err != nil {
			b.Fatal(err)
		}
	}
}
