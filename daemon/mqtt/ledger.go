package mqtt

import (
	"maps"
	"sync"
	"time"

	"gleaner/daemon/event"
)

// Why a message was given up.
const (
	LostOverflow    = "overflow"    // the queue was full and it was the oldest
	LostOffline     = "offline"     // a live verdict or a picture while the broker was away
	LostLate        = "late"        // a live verdict that waited past its deadline
	LostShutdown    = "shutdown"    // still waiting when the time to close was over
	LostUnconfirmed = "unconfirmed" // sent, but not acknowledged when the time to close was over: it may have arrived
	LostClosed      = "closed"      // published after Close
	LostEncoding    = "encoding"    // it has no JSON, no topic, or a topic too long for MQTT
)

// Losses are the reasons, all of them.
func Losses() []string {
	return []string{LostOverflow, LostOffline, LostLate, LostShutdown, LostUnconfirmed, LostClosed, LostEncoding}
}

// LaneStats is what became of the messages of a lane. At any moment Published = Queued + Acked + Replaced + the sum of
// Lost, where Acked counts hand-overs to the connection of acts, crops and metrics, which nobody acknowledges.
type LaneStats struct {
	Published uint64 `json:"published"`
	Queued    int    `json:"queued"` // waiting, or sent and not acknowledged yet
	Sent      uint64 `json:"sent"`   // hand-overs to a connection, repeats included
	// Acked counts what the broker acknowledged on the connection that sent it; it proves that the broker has it, not
	// that a consumer does.
	Acked uint64 `json:"acked"`
	// Replaced counts latest values that a newer one, or their own repeat on a new connection, made needless.
	Replaced uint64            `json:"replaced,omitempty"`
	Lost     map[string]uint64 `json:"lost"` // by reason; nil without loss
}

// LostAll is the loss for all reasons.
func (s LaneStats) LostAll() uint64 {
	var n uint64
	for _, v := range s.Lost {
		n += v
	}
	return n
}

// ledger is LaneStats with a lock around it; the zero value is ready.
type ledger struct {
	mu sync.Mutex
	s  LaneStats
}

// lose counts n messages of the queue as lost; callers hold mu.
func (l *ledger) lose(n int, why string) {
	if n == 0 {
		return
	}
	if l.s.Lost == nil {
		l.s.Lost = map[string]uint64{}
	}
	l.s.Lost[why] += uint64(n)
	l.s.Queued -= n
}

// enter counts a message that came in; callers hold mu.
func (l *ledger) enter() { l.s.Published++; l.s.Queued++ }

func (l *ledger) sent() { l.mu.Lock(); l.s.Sent++; l.mu.Unlock() }

func (l *ledger) acked() { l.mu.Lock(); l.s.Acked++; l.s.Queued--; l.mu.Unlock() }

func (l *ledger) lost(n int, why string) { l.mu.Lock(); l.lose(n, why); l.mu.Unlock() }

func (l *ledger) stats() LaneStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.s
	s.Lost = maps.Clone(s.Lost)
	return s
}

// item is an event on its way.
type item struct {
	ev event.Event
	at time.Time // when it was published, with the monotonic clock
}

// queue is a bounded ring that gives up its oldest entry for a new one, with the ledger of what became of them. Its
// methods may be called from any goroutine and never block for long: nothing else happens under the lock.
type queue struct {
	ledger
	ring    []item
	head, n int
	shut    string // why nothing is taken any more; empty while open
}

func newQueue(size int) *queue { return &queue{ring: make([]item, size)} }

// push takes the event, or counts it as lost while the queue is shut.
func (q *queue) push(ev event.Event, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.enter()
	if q.shut != "" {
		q.lose(1, q.shut)
		return
	}
	if q.n == len(q.ring) {
		q.ring[q.head] = item{}
		q.head = (q.head + 1) % len(q.ring)
		q.n--
		q.lose(1, LostOverflow)
	}
	q.ring[(q.head+q.n)%len(q.ring)] = item{ev, now}
	q.n++
}

// pop takes out the oldest entry; it stays counted in Queued until it is acked or lost.
func (q *queue) pop() (item, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.n == 0 {
		return item{}, false
	}
	it := q.ring[q.head]
	q.ring[q.head] = item{}
	q.head = (q.head + 1) % len(q.ring)
	q.n--
	return it, true
}

// open takes events from now on.
func (q *queue) open() { q.mu.Lock(); q.shut = ""; q.mu.Unlock() }

// close refuses events for a reason from now on; what waits stays.
func (q *queue) close(why string) { q.mu.Lock(); q.shut = why; q.mu.Unlock() }

// clear gives up what waits.
func (q *queue) clear(why string) {
	q.mu.Lock()
	defer q.mu.Unlock()
	clear(q.ring)
	q.lose(q.n, why)
	q.head, q.n = 0, 0
}

func (q *queue) empty() bool { q.mu.Lock(); defer q.mu.Unlock(); return q.n == 0 }

// maxStates bounds the topics with a latest value: cameras times classes, and a few for the device.
const maxStates = 4096

// state is the latest event of one topic.
type state struct {
	ev    event.Event
	dirty bool // waits to be sent
	once  bool // not retained, so a new connection does not send it again
}

// board holds the latest event of each topic: a newer one replaces what was not sent yet, which is no loss.
type board struct {
	ledger
	states map[string]*state
	order  []string // the dirty ones, first come first served
	shut   bool
}

func newBoard() *board { return &board{states: map[string]*state{}} }

// post replaces the value of a topic.
func (b *board) post(topic string, ev event.Event, once bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.enter()
	s := b.states[topic]
	switch {
	case b.shut:
		b.lose(1, LostClosed)
		return
	case topic == "" || len(topic) > 65535:
		b.lose(1, LostEncoding)
		return
	case s == nil && len(b.states) >= maxStates:
		b.lose(1, LostOverflow)
		return
	case s == nil:
		s = &state{}
		b.states[topic] = s
	}
	if s.dirty {
		b.settle()
	} else {
		s.dirty = true
		b.order = append(b.order, topic)
	}
	s.ev, s.once = ev, once
}

// settle counts a value that need not be sent any more; callers hold mu.
func (b *board) settle() { b.s.Queued--; b.s.Replaced++ }

// posting is a state on its way.
type posting struct {
	topic string
	ev    event.Event
	once  bool
}

// next takes the oldest dirty state.
func (b *board) next() (posting, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.order) == 0 {
		return posting{}, false
	}
	topic := b.order[0]
	b.order = b.order[1:]
	s := b.states[topic]
	s.dirty = false
	p := posting{topic, s.ev, s.once}
	if s.once {
		delete(b.states, topic)
	}
	return p, true
}

// again puts every retained state onto the way: a new connection may lead to a broker that knows nothing. What was sent
// on the old connection and not acknowledged, sent, is settled by its repeat.
func (b *board) again(sent int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for range sent {
		b.settle()
	}
	for topic, s := range b.states {
		if !s.dirty {
			s.dirty = true
			b.order = append(b.order, topic)
			b.enter()
		}
	}
}

func (b *board) close() { b.mu.Lock(); b.shut = true; b.mu.Unlock() }

func (b *board) empty() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.order) == 0 }

// drop gives up what was not sent.
func (b *board) drop(why string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lose(len(b.order), why)
	b.order = nil
}
