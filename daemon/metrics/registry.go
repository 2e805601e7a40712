// Package metrics is the daemon's numbers: the one table of their names, counters that cost an atomic add, a histogram
// for durations, and the page that Prometheus reads. What is counted is the business of whoever counts; nothing below
// the daemon imports this package.
package metrics

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// Counter only grows. All methods may be called from any goroutine; none allocates.
type Counter struct{ v atomic.Uint64 }

// Inc adds one.
func (c *Counter) Inc() { c.v.Add(1) }

// Add adds n.
func (c *Counter) Add(n uint64) { c.v.Add(n) }

// Value is the count.
func (c *Counter) Value() uint64 { return c.v.Load() }

// Gauge is a number that goes up and down. All methods may be called from any goroutine; none allocates.
type Gauge struct{ v atomic.Uint64 }

// Set replaces the number.
func (g *Gauge) Set(v float64) { g.v.Store(math.Float64bits(v)) }

// Value is the number.
func (g *Gauge) Value() float64 { return math.Float64frombits(g.v.Load()) }

// MaxSeries bounds the label values under one name: from then on, they are counted together under "other", so that no
// hostile label fills the memory.
const MaxSeries = 1000

// series is one metric with its label values; exactly one of the pointers is set.
type series struct {
	labels  []string
	counter *Counter
	gauge   *Gauge
	timer   *Histogram
	read    func() float64
}

// Registry holds the numbers of one daemon. Asking for a metric takes a lock and may allocate: ask once, keep what comes
// back, and count on that.
type Registry struct {
	defs map[string]*Def

	mu     sync.Mutex
	series map[string]map[string]*series // by name, by label values
	sets   map[string]func(Set)          // by name, of those whose label values come and go
}

// New is a registry for the names of Table.
func New() *Registry { return newRegistry(Table) }

func newRegistry(table []Def) *Registry {
	r := &Registry{defs: map[string]*Def{}, series: map[string]map[string]*series{}, sets: map[string]func(Set){}}
	for i := range table {
		d := &table[i]
		if r.defs[d.Name] != nil {
			panic("metrics: " + d.Name + " is twice in the table")
		}
		r.defs[d.Name] = d
		r.series[d.Name] = map[string]*series{}
	}
	return r
}

// Counter is the counter of that name and those label values, in the order of the table; the same ones give the same
// counter. A name that is not in Table, is no counter or has another number of labels is a mistake of the program, and
// panics; so it is with Gauge, Timer and Func.
func (r *Registry) Counter(name string, labels ...string) *Counter {
	return r.get(name, CounterKind, labels, func(s *series) { s.counter = new(Counter) }).counter
}

// Gauge is the gauge of that name and those label values.
func (r *Registry) Gauge(name string, labels ...string) *Gauge {
	return r.get(name, GaugeKind, labels, func(s *series) { s.gauge = new(Gauge) }).gauge
}

// Timer is the histogram of that name and those label values.
func (r *Registry) Timer(name string, labels ...string) *Histogram {
	return r.get(name, TimerKind, labels, func(s *series) { s.timer = new(Histogram) }).timer
}

// Func has a counter or gauge read from elsewhere whenever somebody asks; read may be called from any goroutine at any
// time and must not call the Registry. Another Func of the same name and labels replaces it.
func (r *Registry) Func(read func() float64, name string, labels ...string) {
	d := r.def(name, labels)
	if d.Kind == TimerKind {
		panic("metrics: " + name + " is a timer and cannot be read from a function")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.series[name][strings.Join(labels, "\xff")] = &series{labels: slices.Clone(labels), read: read}
}

// Set takes one series of a FuncSet.
type Set func(v float64, labels ...string)

// FuncSet has all series of a counter or gauge read from elsewhere whenever somebody asks: for label values that come and
// go, such as those of the models in use. read is called as that of Func is, and gives each series once.
func (r *Registry) FuncSet(name string, read func(Set)) {
	if d := r.defs[name]; d == nil || d.Kind == TimerKind {
		panic("metrics: " + name + " is not in the table or a timer")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sets[name] = read
}

func (r *Registry) def(name string, labels []string) *Def {
	d := r.defs[name]
	if d == nil {
		panic("metrics: " + name + " is not in the table")
	}
	if len(labels) != len(d.Labels) {
		panic(fmt.Sprintf("metrics: %s has the labels %v, not %v", name, d.Labels, labels))
	}
	return d
}

func (r *Registry) get(name string, kind Kind, labels []string, fill func(*series)) *series {
	if d := r.def(name, labels); d.Kind != kind {
		panic("metrics: " + name + " is of another kind")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	all := r.series[name]
	key := strings.Join(labels, "\xff") // no UTF-8 text holds that byte
	if s := all[key]; s != nil {
		return s
	}
	if len(all) >= MaxSeries {
		labels = slices.Repeat([]string{"other"}, len(labels))
		key = strings.Join(labels, "\xff")
		if s := all[key]; s != nil {
			return s
		}
	}
	s := &series{labels: slices.Clone(labels)}
	fill(s)
	all[key] = s
	return s
}

// each calls f for every series, sorted by name and label values, without holding the lock.
func (r *Registry) each(f func(d *Def, s *series)) {
	type pair struct {
		d *Def
		s *series
	}
	var list []pair
	r.mu.Lock()
	for name, all := range r.series {
		for _, s := range all {
			list = append(list, pair{r.defs[name], s})
		}
	}
	sets := maps.Clone(r.sets)
	r.mu.Unlock()
	for name, read := range sets {
		read(func(v float64, labels ...string) {
			list = append(list, pair{r.def(name, labels), &series{labels: slices.Clone(labels), read: func() float64 { return v }}})
		})
	}
	slices.SortFunc(list, func(a, b pair) int {
		if c := strings.Compare(a.d.Name, b.d.Name); c != 0 {
			return c
		}
		return slices.Compare(a.s.labels, b.s.labels)
	})
	for _, p := range list {
		f(p.d, p.s)
	}
}

func (s *series) value() float64 {
	switch {
	case s.counter != nil:
		return float64(s.counter.Value())
	case s.gauge != nil:
		return s.gauge.Value()
	}
	return s.read()
}

// Values is every number by name and labels, as in `gleaner_frames_total{cam="belt-1"}`; of a timer the count and, in
// seconds, the quantiles 0.5, 0.9 and 0.99. Numbers that are not finite are left out: JSON has none.
func (r *Registry) Values() map[string]float64 {
	out := map[string]float64{}
	r.each(func(d *Def, s *series) {
		if s.timer == nil {
			if v := s.value(); !math.IsNaN(v) && !math.IsInf(v, 0) {
				out[seriesName(d.Name, d.Labels, s.labels)] = v
			}
			return
		}
		out[seriesName(d.Name+"_count", d.Labels, s.labels)] = float64(s.timer.Count())
		for _, q := range []string{"0.5", "0.9", "0.99"} {
			f, _ := strconv.ParseFloat(q, 64)
			name := seriesName(d.Name, append(slices.Clone(d.Labels), "quantile"), append(slices.Clone(s.labels), q))
			out[name] = s.timer.Quantile(f).Seconds()
		}
	})
	return out
}

func seriesName(name string, labels, values []string) string {
	if len(labels) == 0 {
		return name
	}
	var b strings.Builder
	b.WriteString(name)
	sep := byte('{')
	for i, l := range labels {
		b.WriteByte(sep)
		b.WriteString(l)
		b.WriteByte('=')
		b.WriteString(strconv.Quote(values[i]))
		sep = ','
	}
	b.WriteByte('}')
	return b.String()
}
