// Package track follows objects from frame to frame by their boxes and the frames' times alone: which detection is
// which object, how fast the belt runs, and who crossed which line. It sees no pixels and knows no models.
//
// Each box edge has a constant-velocity Kalman filter. Detections are assigned in the manner of ByteTrack (Zhang et al.,
// ECCV 2022: good scores first, then weak ones for known tracks) with the recovery steps of OC-SORT (Cao et al., CVPR
// 2023: the last observation is tried when the prediction fails, and the filter is run again after a loss). Two things
// are for belts: newborn tracks begin with the speed that the others share, and two objects that are detected as one for
// a while go on as two.
package track

import (
	"cmp"
	"slices"
	"time"

	"gleaner/detect"
)

// State says how sure a track is in this frame.
type State uint8

// The states.
const (
	Tentative State = iota // fewer than MinHits detections yet
	Tracked                // confirmed and seen in this frame
	Lost                   // confirmed, not seen in this frame; the box is predicted
	Merged                 // confirmed, detected together with another track as one box; the box is predicted
)

// String is the state's name in lower case.
func (s State) String() string {
	return [...]string{"tentative", "tracked", "lost", "merged"}[min(s, Merged)]
}

// Track is one object as of one frame.
type Track struct {
	ID     int64      // from 1, never used twice
	Box    detect.Box // as detected when Measured, else predicted, which may lie outside the frame
	VX, VY float64    // pixels per second
	Class  int        // the detector's class with the greatest sum of scores so far, -1 for none
	Score  float32    // of the last detection
	First  time.Time  // the first and the last detection
	Last   time.Time
	Hits   int           // detections so far
	Lost   time.Duration // since the last detection; 0 while Measured or Merged
	// Confirmed says that the track had MinHits detections; it stays so.
	Confirmed bool
	// Measured says that the track has a detection of its own in this very frame.
	Measured bool
	State    State
}

// live is a track and what is needed to follow it.
type live struct {
	Track
	body   body
	saved  body       // after the last detection
	obs    [4]float64 // the last detection
	prev   [4]float64 // the box of the frame before: obs, or predicted
	seen   time.Time  // last detected, alone or merged
	missed int        // frames since the last detection of its own
	unseen int        // frames since the last detection, alone or merged
	rides  bool       // it moved with the belt when it was last detected
	hit    bool       // in this frame: has its detection, or is merged
	votes  [8]vote
}

type vote struct {
	class int
	sum   float32
}

// Tracker follows the objects of one camera. One goroutine uses it.
type Tracker struct {
	o    Options
	last time.Time // of the frame before
	dt   float64   // seconds since then
	step float64   // usual seconds between frames, 0 at first
	id   int64

	live  []*live // by id
	spare []*live
	belt  belt

	before []detect.Detection // the good ones of the frame before
	dets   []detect.Detection // of this frame, sorted, without those below LowScore
	taken  []bool
	high   int // dets before this index have HighScore
	solve  solver
	rows   []*live
	cols   []int
	group  []*live
	pairs  []pair
	motion motion

	tracks, ended []Track
}

// New is a Tracker without tracks.
func New(o Options) *Tracker { return &Tracker{o: o} }

// Live is how many tracks there are, confirmed or not, seen or lost.
func (t *Tracker) Live() int { return len(t.live) }

// BeltSpeed is the speed that the confirmed tracks share, in pixels per second: the median over the tracks, smoothed
// over a third of a second. ok is false until there was a confirmed track, and while the tracks do not move as one.
func (t *Tracker) BeltSpeed() (vx, vy float64, ok bool) { return t.belt.vx, t.belt.vy, t.belt.ok }

// Update takes in the detections of the frame of time now, in any order, and returns every living track by id and those
// that ended with this frame; both slices are valid until the next Update. Each track is in ended exactly once, or never
// while it lives. A time that is not after the one before counts as the same instant. In the steady state it allocates
// nothing.
func (t *Tracker) Update(now time.Time, dets []detect.Detection) (tracks, ended []Track) {
	t.ended = t.ended[:0]
	t.advance(now)
	t.sort(dets)

	t.merges(now)
	t.first(now)
	t.associate(now, byMotion, 0, t.high, everyone)
	t.associate(now, byLastSeen, 0, t.high, everyone)
	t.associate(now, byPrediction, t.high, len(t.dets), confirmedOnly)
	t.miss(now)
	t.belt.measure(t.live, now, t.step)
	t.carry()
	t.begin(now)

	t.tracks = t.tracks[:0]
	for _, l := range t.live {
		l.prev = edges(l.Box)
		t.tracks = append(t.tracks, l.Track)
	}
	return t.tracks, t.ended
}

// Flush ends every track, at the end of a source. The slice is valid until the next Update.
func (t *Tracker) Flush() (ended []Track) {
	t.ended = t.ended[:0]
	t.drop(func(*live) bool { return true })
	return t.ended
}

// advance predicts every track to now and ends those of before a long gap.
func (t *Tracker) advance(now time.Time) {
	t.dt = 0
	if t.last.IsZero() || !now.After(t.last) {
		if t.last.IsZero() {
			t.last = now
		}
		for _, l := range t.live {
			l.hit = false
		}
		return
	}
	gap := now.Sub(t.last)
	dt := gap.Seconds()
	if gap > t.o.MaxLost && t.step > 0 && dt > 5*t.step {
		t.drop(func(*live) bool { return true })
	}
	if t.step == 0 {
		t.step = dt
	} else {
		t.step += 0.1 * (min(dt, 5*t.step) - t.step)
	}
	t.last, t.dt = now, dt
	for _, l := range t.live {
		l.hit = false
		l.body.predict(dt)
	}
}

// mostArea is what no frame has, in square pixels; infinite boxes are beyond it.
const mostArea = 1e12

// sort takes the usable detections in an order of their own, so that the caller's order means nothing: high scores
// first, then by place.
func (t *Tracker) sort(dets []detect.Detection) {
	t.before = append(t.before[:0], t.dets[:t.high]...)
	t.dets = t.dets[:0]
	for _, d := range dets {
		if a := d.Box.Area(); float64(d.Score) >= t.o.LowScore && a > 0 && a < mostArea { // NaN is neither
			t.dets = append(t.dets, d)
		}
	}
	if most := 2 * t.o.MaxTracks; len(t.dets) > most { // the best ones, so that the matching stays cheap
		slices.SortFunc(t.dets, func(a, b detect.Detection) int {
			return cmp.Or(cmp.Compare(b.Score, a.Score), compare(a, b))
		})
		t.dets = t.dets[:most]
	}
	high := float32(t.o.HighScore)
	slices.SortFunc(t.dets, func(a, b detect.Detection) int {
		if (a.Score >= high) != (b.Score >= high) {
			if a.Score >= high {
				return -1
			}
			return 1
		}
		return compare(a, b)
	})
	t.high = 0
	for t.high < len(t.dets) && t.dets[t.high].Score >= high {
		t.high++
	}
	t.taken = sized(t.taken, len(t.dets))
	clear(t.taken)
}

func compare(a, b detect.Detection) int {
	return cmp.Or(cmp.Compare(a.Box.X0, b.Box.X0), cmp.Compare(a.Box.Y0, b.Box.Y0), cmp.Compare(a.Box.X1, b.Box.X1),
		cmp.Compare(a.Box.Y1, b.Box.Y1), cmp.Compare(a.Score, b.Score), cmp.Compare(a.Class, b.Class))
}

// hitBy gives track l the detection d.
func (t *Tracker) hitBy(l *live, d detect.Detection, now time.Time) {
	z := edges(d.Box)
	vx, vy := l.body.velocity()
	if t.motion.ok && (l.rides || l.Hits < ownWayHits) {
		vx, vy = t.motion.vx, t.motion.vy
	}
	if deformed(l.obs, z) {
		l.body = born(z, vx, vy, l.body.size())
	} else if l.missed > 0 {
		l.body = l.saved
		l.body.recover(l.obs, z, now.Sub(l.Last), l.missed+1)
	} else {
		l.body.update(z, edgeNoise)
	}
	l.saved, l.obs, l.missed, l.unseen, l.hit = l.body, z, 0, 0, true
	l.Last, l.seen = now, now
	l.Hits++
	l.Box, l.Score, l.Lost, l.Measured = d.Box, d.Score, 0, true
	l.VX, l.VY = l.body.velocity()
	l.Confirmed = l.Confirmed || l.Hits >= t.o.MinHits
	l.State = Tentative
	if l.Confirmed {
		l.State = Tracked
	}
	l.elect(d.Class, d.Score)
}

// elect adds a vote to the running vote on the class. A ninth class takes the place of the weakest.
func (l *live) elect(class int, score float32) {
	if class < 0 {
		return
	}
	at, weakest := -1, 0
	for i, v := range l.votes {
		if v.sum > 0 && v.class == class {
			at = i
		}
		if v.sum < l.votes[weakest].sum {
			weakest = i
		}
	}
	if at < 0 {
		at = weakest
		l.votes[at] = vote{class: class}
	}
	l.votes[at].sum += score
	best := vote{class: -1}
	for _, v := range l.votes {
		if v.sum > best.sum || v.sum == best.sum && v.sum > 0 && v.class < best.class {
			best = v
		}
	}
	l.Class = best.class
}

// miss treats the tracks that no detection was given to, and ends those that were lost for too long.
func (t *Tracker) miss(now time.Time) {
	for _, l := range t.live {
		if l.hit {
			continue
		}
		l.body.stiffen(l.body.velocity()) // a box that is only predicted keeps its size
		l.missed++
		l.unseen++
		l.Measured = false
		l.Lost = now.Sub(l.seen)
		l.Box = l.body.box()
		l.VX, l.VY = l.body.velocity()
		if l.Confirmed {
			l.State = Lost
		}
	}
	t.drop(func(l *live) bool {
		if l.Confirmed {
			return l.Lost > t.o.MaxLost
		}
		return l.Lost > t.o.MaxLost/5
	})
}

// drop ends the tracks that gone says.
func (t *Tracker) drop(gone func(*live) bool) {
	n := 0
	for _, l := range t.live {
		if gone(l) {
			t.ended = append(t.ended, l.Track)
			t.spare = append(t.spare, l)
			continue
		}
		t.live[n] = l
		n++
	}
	t.live = t.live[:n]
}

// begin starts a track for each good detection that fits none, unless it lies on one that was just seen: then it is the
// same object twice.
func (t *Tracker) begin(now time.Time) {
	old := len(t.live)
	for i, d := range t.dets[:t.high] {
		if t.taken[i] || float64(d.Score) < t.o.NewScore || len(t.live) >= t.o.MaxTracks {
			continue
		}
		if t.double(d.Box, t.live[:old]) {
			continue
		}
		l := t.fresh()
		t.id++
		z := edges(d.Box)
		vx, vy, sigma := t.belt.prior(z, now, t.step)
		if t.motion.ok {
			vx, vy = t.motion.vx, t.motion.vy
		}
		*l = live{Track: Track{ID: t.id, Box: d.Box, VX: vx, VY: vy, Class: -1, Score: d.Score, First: now, Last: now,
			Hits: 1, Measured: true, Confirmed: t.o.MinHits == 1}, body: born(z, vx, vy, sigma), obs: z, seen: now, hit: true}
		if l.Confirmed {
			l.State = Tracked
		}
		l.saved = l.body
		l.elect(d.Class, d.Score)
		t.live = append(t.live, l)
	}
}

func (t *Tracker) double(b detect.Box, seen []*live) bool {
	for _, l := range seen {
		if l.Measured && l.Box.IoU(b) > 0.7 {
			return true
		}
	}
	return false
}

func (t *Tracker) fresh() *live {
	if n := len(t.spare); n > 0 {
		l := t.spare[n-1]
		t.spare = t.spare[:n-1]
		return l
	}
	return new(live)
}
