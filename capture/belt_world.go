package capture

import (
	"fmt"
	"image"
	"io"
	"math/rand/v2"
	"slices"
	"time"
)

// Item is one thing that the belt carried, as it truly was. Frames are counted from 0; a frame that has not come yet is
// -1. Where it lies is told in belt coordinates: pixels along the belt that move with it, so that X never changes;
// Belt.BoxAt turns them into pixels of a frame.
type Item struct {
	Index   int    `json:"index"` // 0 for the first
	Class   int    `json:"class"` // the number of the label in the picture set
	Label   string `json:"label"`
	Picture int    `json:"picture"` // its number in the picture set
	Path    string `json:"path"`

	X int `json:"x"` // left edge of the outline's box, belt coordinates in pixels
	Y int `json:"y"` // upper edge, pixels of the frame
	W int `json:"w"` // pixels
	H int `json:"h"` // pixels

	Enter     int  `json:"enter"`      // first frame that shows some of the box
	FirstFull int  `json:"first_full"` // first frame that shows all of it
	Centre    int  `json:"centre"`     // first frame with its centre at or past the frame's middle
	LastFull  int  `json:"last_full"`  // last frame so far that shows all of it
	Leave     int  `json:"leave"`      // last frame so far that shows some of it
	Gone      bool `json:"gone"`       // it left and cannot come back
	Touching  bool `json:"touching"`   // it touches the item before or after it
}

// placed is an item that is on the belt, with its picture.
type placed struct {
	item *Item
	sp   *sprite
	x    int // left edge of the sprite, belt coordinates
	y    int
}

// How much of the past an endless belt remembers.
const (
	keepItems  = 1024
	keepFrames = 1 << 14 // nine minutes at 30 frames per second
)

// world is where everything on the belt is. Its fields are guarded by Belt.mu; the open Source alone changes them.
type world struct {
	o      Options
	pics   Pictures
	pick   []int
	fps    float64
	dir    int // 1: screen x grows with the belt's travel; -1: it falls
	paint  *painter
	frame  int     // the frame that was stepped to last; -1 before the first
	pos    int64   // travel in 1/256 pixel
	travel []int64 // travel at frames first, first+1, …
	first  int
	speed  int64 // of this frame, 1/256 pixel per frame

	items   []*Item   // what is remembered, oldest first
	on      []placed  // what has a picture: about to come, in view, or able to come back
	free    []*sprite // pictures to be drawn anew
	spawned int
	tried   int // how many entries of pick were used up
	bad     int // how many of them could not be decoded
	edge    int // belt coordinate of the trailing side of the item placed last
	idle    int // frames since the last item was gone
	passed  int // items whose centre crossed the middle
	ended   bool
}

func newWorld(b *Belt) *world {
	w := &world{o: b.o, pics: b.pics, pick: b.pick, fps: b.fps, dir: 1, frame: -1,
		paint: newPainter(b.o, b.pics.Cutout()), travel: make([]int64, 0, 2*keepFrames)}
	if b.o.Belt.Direction == "left" {
		w.dir, w.edge = -1, b.o.Width
	}
	return w
}

// step goes on by one frame. It returns io.EOF when the belt has ended.
func (w *world) step() error {
	if w.ended {
		return io.EOF
	}
	w.frame++
	w.speed = 0
	if w.frame > 0 {
		w.speed = w.velocity(w.frame)
	}
	w.pos += w.speed
	if w.o.Belt.Count == 0 && len(w.travel) == 2*keepFrames {
		w.first += keepFrames
		w.travel = w.travel[:copy(w.travel, w.travel[keepFrames:])]
	}
	w.travel = append(w.travel, w.pos)
	if err := w.spawn(); err != nil {
		return err
	}
	w.watch()
	if n := w.o.Belt.Count; n > 0 && w.spawned == n && len(w.on) == 0 {
		if w.idle++; float64(w.idle) > w.fps {
			w.ended = true
			return io.EOF
		}
	}
	return nil
}

// velocity is the belt's speed at frame n in 1/256 pixel per frame: full, or what a stop or a reversal leaves of it.
func (w *world) velocity(n int) int64 {
	o := w.o.Belt
	full := int64(o.Speed*256/w.fps + 0.5)
	stop := phase(n, w.fps, o.StopEvery, o.StopFor)       // 256 running to 0 standing
	back := phase(n, w.fps, o.ReverseEvery, o.ReverseFor) // 256 forwards to 0 backwards
	return full * stop * (2*back - 256) / (256 * 256)
}

// phase is 256 but for the last dur of every period, when it is 0; it goes from one to the other in about 0.2 s.
func phase(n int, fps float64, every, dur time.Duration) int64 {
	period, span := int(every.Seconds()*fps+0.5), int(dur.Seconds()*fps+0.5)
	if period <= 0 || span <= 0 {
		return 256
	}
	ramp := max(1, min(int(fps*0.2), span/2))
	into := n%period - (period - span) // frames since the pause began
	if into < 0 {
		return 256
	}
	return int64(256 - 256*min(into+1, ramp, span-into)/ramp)
}

// offset is what belt coordinates of frame n need to become pixels, and whether that frame is remembered.
func (w *world) offset(n int) (int, bool) {
	if n < w.first || n >= w.first+len(w.travel) {
		return 0, false
	}
	return w.dir * int(w.travel[n-w.first]>>8), true
}

// here is the offset of the present frame.
func (w *world) here() int { return w.dir * int(w.pos>>8) }

// ahead is how far outside the view an item is made ready, in pixels: more than two neighbours may interlock.
func (w *world) ahead() int { return w.o.Height / 3 }

// spawn places items until the last one lies well outside the view.
func (w *world) spawn() error {
	for w.o.Belt.Count == 0 || w.spawned < w.o.Belt.Count {
		edge := w.edge + w.here()
		if (w.dir > 0 && edge < -w.ahead()) || (w.dir < 0 && edge > w.o.Width+w.ahead()) {
			return nil
		}
		if err := w.place(); err != nil {
			return err
		}
	}
	return nil
}

// place puts the next item behind the last.
func (w *world) place() error {
	rng := rand.New(rand.NewPCG(w.o.Belt.Seed, uint64(w.spawned)+1))
	pic, im, err := w.next()
	if err != nil {
		return err
	}
	sp := &sprite{}
	if n := len(w.free); n > 0 {
		sp, w.free = w.free[n-1], w.free[:n-1]
	}
	w.paint.render(sp, im, pickLook(rng, w.o.Belt, w.pics.Cutout(), w.o.Height))
	gap := w.o.Belt.Gap * (102 + rng.IntN(308)) / 256
	touch := rng.Float64() < w.o.Belt.Touching && len(w.on) > 0
	top, room := beltTop(w.o.Height), beltRows(w.o.Height)
	margin := room / 24
	y := top + margin + rng.IntN(max(1, room-2*margin-sp.box.Dy()+1))
	p := placed{sp: sp, y: y - sp.box.Min.Y}
	if w.dir > 0 {
		p.x = w.edge - gap - sp.box.Max.X
	} else {
		p.x = w.edge + gap - sp.box.Min.X
	}
	if touch {
		touch = w.join(&p, w.on[len(w.on)-1], rng)
	}
	c := w.pics.Label(pic)
	p.item = &Item{Index: w.spawned, Class: c, Label: w.pics.Labels()[c], Picture: pic, Path: w.pics.Path(pic),
		X: p.x + sp.box.Min.X, Y: p.y + sp.box.Min.Y, W: sp.box.Dx(), H: sp.box.Dy(),
		Enter: -1, FirstFull: -1, Centre: -1, LastFull: -1, Leave: -1, Touching: touch}
	if w.dir > 0 {
		w.edge = min(w.edge, p.item.X)
	} else {
		w.edge = max(w.edge, p.item.X+p.item.W)
	}
	w.spawned++
	w.on = append(w.on, p)
	if w.o.Belt.Count == 0 && len(w.items) == 2*keepItems {
		w.items = slices.Delete(w.items, 0, keepItems)
	}
	w.items = append(w.items, p.item)
	return nil
}

// next is the next picture that can be decoded.
func (w *world) next() (int, Image, error) {
	var last error
	for range w.pick {
		i := w.pick[w.tried%len(w.pick)]
		w.tried++
		im, err := w.pics.Image(i)
		if err == nil && !im.Empty() {
			return i, im, nil
		}
		last = err
		w.bad++
	}
	return 0, Image{}, fmt.Errorf("belt: none of %d pictures can be read: %w", len(w.pick), last)
}

// join moves p along the belt until its outline overlaps that of before by two pixels. It reports false where the
// two have no row in common; p then stays where it was.
func (w *world) join(p *placed, before placed, rng *rand.Rand) bool {
	at := *p
	h := p.sp.box.Dy()
	mid := before.item.Y + before.item.H/2 + h*(rng.IntN(61)-30)/100
	lowest := beltTop(w.o.Height) + beltRows(w.o.Height) - h - 4
	at.y = min(max(mid-h/2, beltTop(w.o.Height)+4), lowest) - p.sp.box.Min.Y
	best, found := 0, false
	for r := range at.sp.h {
		q := r + at.y - before.y
		if q < 0 || q >= before.sp.h || at.sp.lo[r] > at.sp.hi[r] || before.sp.lo[q] > before.sp.hi[q] {
			continue
		}
		var x int
		if w.dir > 0 {
			x = before.x + before.sp.lo[q] - at.sp.hi[r] + 1
		} else {
			x = before.x + before.sp.hi[q] - at.sp.lo[r] - 1
		}
		if !found || (w.dir > 0 && x < best) || (w.dir < 0 && x > best) {
			best, found = x, true
		}
	}
	if !found {
		return false
	}
	at.x = best
	*p = at
	before.item.Touching = true
	return true
}

// watch notes what this frame shows of every item and takes away what cannot come back.
func (w *world) watch() {
	back := int(w.o.Belt.ReverseFor.Seconds()*w.o.Belt.Speed) + 64
	if w.o.Belt.ReverseEvery == 0 {
		back = 64
	}
	keep := w.on[:0]
	for _, p := range w.on {
		it := p.item
		x := it.X + w.here()
		gone := x - w.o.Width
		if w.dir < 0 {
			gone = -(x + it.W)
		}
		if it.see(x, w.o.Width, w.dir, w.frame) {
			w.passed++
		}
		if gone > back {
			it.Gone = true
			w.free = append(w.free, p.sp)
			continue
		}
		keep = append(keep, p)
	}
	clear(w.on[len(keep):])
	w.on = keep
}

// see notes what frame n shows of the item, whose box begins at pixel x. It reports the first crossing of the middle.
func (it *Item) see(x, width, dir, n int) (crossed bool) {
	if x < width && x+it.W > 0 {
		if it.Enter < 0 {
			it.Enter = n
		}
		it.Leave = n
	}
	if x >= 0 && x+it.W <= width {
		if it.FirstFull < 0 {
			it.FirstFull = n
		}
		it.LastFull = n
	}
	if c := 2*x + it.W - width; it.Centre < 0 && it.Enter >= 0 && c*dir >= 0 {
		it.Centre = n
		return true
	}
	return false
}

// Truth is every item that has come into view so far, in the order of coming. An endless belt remembers the last
// thousand or so.
func (b *Belt) Truth() []Item { return b.truth(func(it *Item) bool { return it.Enter >= 0 }) }

// Passed is every item whose centre has crossed the middle of the frame, as Truth tells it.
func (b *Belt) Passed() []Item { return b.truth(func(it *Item) bool { return it.Centre >= 0 }) }

func (b *Belt) truth(want func(*Item) bool) []Item {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.world == nil {
		return nil
	}
	var out []Item
	for _, it := range b.world.items {
		if want(it) {
			out = append(out, *it)
		}
	}
	return out
}

// PassedCount is how many items have crossed the middle of the frame since the belt began, and how many pictures could
// not be decoded and were passed over.
func (b *Belt) PassedCount() (passed, unreadable int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.world == nil {
		return 0, 0
	}
	return b.world.passed, b.world.bad
}

// BoxAt is the item's outline box in pixels of frame n, which may lie outside the frame. It reports false for a frame
// that has not come or is forgotten.
func (b *Belt) BoxAt(it Item, n int) (image.Rectangle, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.world == nil {
		return image.Rectangle{}, false
	}
	off, ok := b.world.offset(n)
	return image.Rect(it.X+off, it.Y, it.X+off+it.W, it.Y+it.H), ok
}

// FrameAt is the number of the frame whose time is nearest to t, and TimeOf the other way round.
func (b *Belt) FrameAt(t time.Time) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int(t.Sub(b.start).Seconds()*b.fps + 0.5)
}

// TimeOf is the time of frame n.
func (b *Belt) TimeOf(n int) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.timeOf(n)
}
