package daemon

import (
	"time"

	"gleaner/daemon/metrics"
)

// Stage is one part of a frame's way, for the clock.
type Stage int

// The stages, in their order. StageFrame is the whole way.
const (
	StageGate Stage = iota
	StageDetect
	StageTrack
	StageCrop
	StageClassify
	StageDecide
	StageFrame
	stageCount
)

// String is the stage's name in metrics and in bench.
func (s Stage) String() string {
	return [...]string{"gate", "detect", "track", "crop", "classify", "decide", "frame"}[s]
}

// Meter times the stages of one pipeline. A nil Meter times nothing.
type Meter struct {
	clock       func() time.Time
	start, last time.Time
	timers      [stageCount]*metrics.Histogram
}

// NewMeter makes a meter whose histograms timer hands out, one per stage.
func NewMeter(clock func() time.Time, timer func(Stage) *metrics.Histogram) *Meter {
	m := &Meter{clock: clock}
	for s := range stageCount {
		m.timers[s] = timer(s)
	}
	return m
}

// Timer is the histogram of a stage.
func (m *Meter) Timer(s Stage) *metrics.Histogram { return m.timers[s] }

func (m *Meter) begin() {
	if m != nil {
		m.start = m.clock()
		m.last = m.start
	}
}

// lap books the time since the lap before under s.
func (m *Meter) lap(s Stage) {
	if m != nil {
		now := m.clock()
		m.timers[s].Observe(now.Sub(m.last))
		m.last = now
	}
}

func (m *Meter) end() {
	if m != nil {
		m.timers[StageFrame].Observe(m.clock().Sub(m.start))
	}
}
