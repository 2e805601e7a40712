package decide

// Side is where an object stands against the line: before it, at it, past it.
type Side int8

// The sides of the line, seen along the belt's travel.
const (
	Unknown Side = iota
	Before
	Past
)

// Line follows one object against a line across the belt. The zero value is an object not yet seen. It is told where
// the object's centre is along the belt's travel (0 to 1, growing downstream) and answers once.
type Line struct {
	born Side
	side Side
	done bool
}

// leap is how far past the line, as a share of the frame, an object may first be seen past it and still have passed it: no
// belt carries a thing that far from one frame to the next. What lies farther got there by a mistake of the tracker.
const leap = 0.3

// Step takes the centre's position pos and the line's, and reports whether the object passed the line downstream just
// now: once in its life, and only when it was first seen before the line. An object first seen past it (a track that
// broke, a thing carried back by a reversal) was another one's count. slack, in the same unit, keeps a centre that
// jitters on the line from counting as past it.
func (l *Line) Step(pos, line, slack float64) bool {
	now := l.side
	switch {
	case pos < line:
		now = Before
	case pos >= line+slack || l.side == Unknown:
		now = Past
	}
	if l.born == Unknown {
		l.born = now
	}
	crossed := l.side == Before && now == Past && l.born == Before && !l.done && pos-line <= leap
	l.side = now
	if crossed {
		l.done = true
	}
	return crossed
}

// Born is the side on which the object was first seen.
func (l *Line) Born() Side { return l.born }
