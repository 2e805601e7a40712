package capturetest

import "time"

// Fault is one thing that happens to a camera's connection. Begin starts it, Gate.Pass ends it.
type Fault struct {
	Name   string
	Begin  func(*Gate)
	Last   time.Duration // how long it lasts
	Resize bool          // the camera comes back at another size
}

// Faults are the ways in which cameras are lost and come back.
func Faults() []Fault {
	return []Fault{
		{"connection cut", (*Gate).Cut, 0, false},
		{"refused, back at another size", (*Gate).Refuse, 700 * time.Millisecond, true},
		{"black hole that reads nothing", (*Gate).Hole, 2 * time.Second, false},
		{"black hole that reads all, back at another size", (*Gate).Swallow, 1500 * time.Millisecond, true},
		{"cut, back at once at another size", (*Gate).Cut, 0, true},
		{"refused for long", (*Gate).Refuse, 3 * time.Second, false},
		{"black hole for long, back at another size", (*Gate).Hole, 5 * time.Second, true},
	}
}
