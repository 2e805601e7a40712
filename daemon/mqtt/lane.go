package mqtt

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// steady is how long a connection must last for the next wait to be the shortest again: a broker that throws its clients
// out at once is asked ever more rarely.
const steady = time.Second

// lane keeps one connection up and works on it. One goroutine runs it; wake, the stats and closing come from others.
type lane struct {
	name    string
	d       *dialer
	log     *slog.Logger
	wake    chan struct{}   // capacity 1: there is something to send
	closing chan struct{}   // closed: send what waits, then end
	kill    context.Context // done: end now

	mu        sync.Mutex
	link      *link // nil while not connected
	connects  uint64
	lastError string
	nextLog   time.Time
}

// worker is what a lane does with its connection; all of it on the lane's goroutine.
type worker interface {
	// work sends until the connection is lost, and reports true when the lane is done for good.
	work(*link) (ended bool)
	// done reports whether nothing is left to do while closing.
	done() bool
}

// nudge says that there is something to send, and never blocks.
func (l *lane) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run connects, works, and connects again until the lane is closed or killed. While closing, one failed attempt is the
// end: a broker that is away would only use up the time.
func (l *lane) run(w worker) {
	for attempt := 0; ; attempt++ {
		link, err := l.d.connect(l.kill)
		if err == nil {
			began := time.Now()
			l.connected(link)
			ended := w.work(link)
			l.disconnected(link)
			if ended {
				return
			}
			if time.Since(began) > steady {
				attempt = 0
			}
		} else {
			l.failed(err)
		}
		if l.over() && (err != nil || w.done()) {
			return
		}
		select {
		case <-time.After(backoff(attempt, l.d.o.BackoffMin, l.d.o.BackoffMax)):
		case <-l.kill.Done():
			return
		case <-l.closingUnlessOver():
		}
	}
}

// over reports whether the lane is to end.
func (l *lane) over() bool {
	select {
	case <-l.closing:
		return true
	case <-l.kill.Done():
		return true
	default:
		return false
	}
}

// closingUnlessOver cuts a wait short when closing begins; once it has begun, a wait is a wait.
func (l *lane) closingUnlessOver() <-chan struct{} {
	if l.over() {
		return nil
	}
	return l.closing
}

// backoff doubles from lo to hi with the attempts, give or take a quarter, so that devices whose broker restarts do not
// come back in step.
func backoff(attempt int, lo, hi time.Duration) time.Duration {
	d := hi
	if attempt < 30 && lo<<attempt < hi {
		d = lo << attempt
	}
	return d*3/4 + time.Duration(rand.Int64N(int64(d)/2+1))
}

func (l *lane) connected(k *link) {
	l.mu.Lock()
	l.link = k
	l.connects++
	n := l.connects
	l.lastError = ""
	l.nextLog = time.Time{}
	l.mu.Unlock()
	l.log.Info("broker connected", "lane", l.name, "broker", l.d.hostport, "reconnects", n-1)
	if k.deaf {
		l.log.Warn("the broker refuses the subscription to commands", "filter", l.d.commands)
	}
}

func (l *lane) disconnected(k *link) {
	l.mu.Lock()
	l.link = nil
	l.mu.Unlock()
	k.close()
}

// failed notes why there is no connection; the same reason is logged once a minute.
func (l *lane) failed(err error) {
	if l.kill.Err() != nil {
		return
	}
	l.mu.Lock()
	msg := err.Error()
	speak := msg != l.lastError || time.Now().After(l.nextLog)
	l.lastError = msg
	if speak {
		l.nextLog = time.Now().Add(time.Minute)
	}
	l.mu.Unlock()
	if speak {
		l.log.Warn("broker away", "lane", l.name, "err", err)
	}
}

// sever cuts the connection in use, if any.
func (l *lane) sever() {
	l.mu.Lock()
	k := l.link
	l.mu.Unlock()
	if k != nil {
		k.sever()
	}
}

// status is whether the lane is connected, how often it was connected anew, and why it is not.
func (l *lane) status() (up bool, reconnects uint64, lastError string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.connects > 0 {
		reconnects = l.connects - 1
	}
	return l.link != nil, reconnects, l.lastError
}
