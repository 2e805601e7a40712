package decide

// Direction is the way the belt runs in the picture.
type Direction int8

// The directions. Still means not known yet.
const (
	Still Direction = iota
	Right
	Left
	Down
	Up
)

// Travel learns the belt's direction from how far objects move, in shares of the frame. The direction is known after a
// tenth of a frame and turns only after more than a whole frame the other way, so that a belt that is run back a
// little does not turn its line around. The zero value knows nothing.
type Travel struct {
	x, y float64 // -1 to 1, each the travel of the recent past along one axis
	dir  Direction
}

// knownAfter is the travel, in shares of the frame, from which a direction is believed.
const knownAfter = 0.1

// Add tells how far the objects in view moved on the average since the frame before.
func (t *Travel) Add(dx, dy float64) {
	t.x = min(1, max(-1, t.x+dx))
	t.y = min(1, max(-1, t.y+dy))
	ax, ay := max(t.x, -t.x), max(t.y, -t.y)
	if max(ax, ay) < knownAfter {
		return
	}
	if t.dir != Still && max(ax, ay) < 0.9 && !t.agrees() {
		return // a turn wants the whole way back
	}
	switch {
	case ax >= ay && t.x > 0:
		t.dir = Right
	case ax >= ay:
		t.dir = Left
	case t.y > 0:
		t.dir = Down
	default:
		t.dir = Up
	}
}

func (t *Travel) agrees() bool {
	switch t.dir {
	case Right:
		return t.x > 0
	case Left:
		return t.x < 0
	case Down:
		return t.y > 0
	}
	return t.y < 0
}

// Direction is the way the belt runs; Still while it is not known.
func (t *Travel) Direction() Direction { return t.dir }

// Along is how far (x, y), both shares of the frame from its upper left corner, lies along the direction: 0 where
// objects come in, 1 where they leave. It reports false while the direction is not known.
func (d Direction) Along(x, y float64) (float64, bool) {
	switch d {
	case Right:
		return x, true
	case Left:
		return 1 - x, true
	case Down:
		return y, true
	case Up:
		return 1 - y, true
	}
	return 0, false
}
