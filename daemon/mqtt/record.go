package mqtt

import (
	"errors"

	paho "github.com/eclipse/paho.mqtt.golang"

	"gleaner/daemon/event"
)

// maxCrops is how many pictures wait for their turn, some megabytes at most; the oldest goes first.
const maxCrops = 32

// window is how many messages may be on the wire unacknowledged.
const window = 64

// flight is a message on the wire.
type flight struct {
	it    item
	token paho.Token
	kind  flightKind
}

type flightKind uint8

const (
	flyRecord flightKind = iota // from the queue: kept until it is acknowledged
	flyState                    // from the board, retained: a repeat on the next connection settles it
	flyOnce                     // from the board, QoS 0: gone with the connection
	flyCrop                     // a picture, QoS 0: gone with the connection
)

// recorder is the lane of everything but live verdicts: records and answers from the queue, latest values from the
// board, QoS 1, and pictures while nothing else waits. What was sent and not acknowledged when a connection breaks is sent first on the next one, and never
// gives way to newer records, so that each is either delivered or counted as lost, not both.
type recorder struct {
	lane
	q      *queue
	b      *board
	crops  *queue // open while connected: what cannot be sent soon is not worth its memory
	topics Topics
	enough chan struct{} // closed: say "stopped" now, whatever still waits

	// Below: the lane's goroutine only.
	fly        []flight
	resend     []item // sent on an earlier connection, not acknowledged
	flown      int    // states of an earlier connection, not acknowledged
	turn       bool   // the board's turn
	saidGoodby bool
}

func (r *recorder) done() bool { return r.saidGoodby }

// work sends until the connection is lost; while closing, until nothing waits, and then says "stopped".
func (r *recorder) work(k *link) (ended bool) {
	defer r.abandon()
	if !r.over() {
		r.crops.open()
	}
	r.b.again(r.flown)
	r.flown = 0
	k.publish(r.topics.Availability(), 1, true, []byte(event.AvailOnline))
	for {
		if err := r.fill(k); err != nil {
			r.failed(err)
			return false
		}
		if r.stopNow() {
			return r.farewell(k)
		}
		var first <-chan struct{} // brokers acknowledge in order
		if len(r.fly) > 0 {
			first = r.fly[0].token.Done()
		}
		select {
		case <-first:
			if err := r.land(); err != nil {
				r.failed(err)
				return false
			}
		case err := <-k.lost:
			r.failed(err)
			return false
		case <-r.wake:
		case <-r.closingUnlessOver():
		case <-r.enough:
		case <-r.kill.Done():
			return true
		}
	}
}

// stopNow reports whether it is time to say "stopped".
func (r *recorder) stopNow() bool {
	select {
	case <-r.enough:
		return true
	default:
		return r.over() && len(r.fly) == 0 && len(r.resend) == 0 && r.q.empty() && r.b.empty() && r.crops.empty()
	}
}

// fill puts messages onto the wire while there are any and the window has room.
func (r *recorder) fill(k *link) error {
	for len(r.fly) < window {
		f, retained, ok := r.next()
		if !ok {
			return nil
		}
		topic, payload, err := encode(r.topics, f.it.ev)
		if err != nil {
			r.log.Error("event not sent", "err", err)
			r.ledgerOf(f).lost(1, LostEncoding)
			continue
		}
		qos := byte(1)
		if f.kind == flyOnce || f.kind == flyCrop {
			qos = 0
		}
		f.token = k.publish(topic, qos, retained, payload)
		r.ledgerOf(f).sent()
		r.fly = append(r.fly, f)
		select {
		case <-f.token.Done():
			if err := f.token.Error(); err != nil {
				return err
			}
		default:
		}
	}
	return nil
}

// next takes what an earlier connection left first, and then from the board and the queue in turn, so that neither
// starves the other.
func (r *recorder) next() (f flight, retained, ok bool) {
	if len(r.resend) > 0 {
		f.it = r.resend[0]
		r.resend = r.resend[1:]
		return f, false, true
	}
	for range 2 {
		r.turn = !r.turn
		if r.turn {
			if p, ok := r.b.next(); ok {
				f.it.ev, f.kind = p.ev, flyState
				if p.once {
					f.kind = flyOnce
				}
				return f, !p.once, true
			}
		} else if it, ok := r.q.pop(); ok {
			f.it = it
			return f, false, true
		}
	}
	f.it, ok = r.crops.pop()
	f.kind = flyCrop
	return f, false, ok
}

func (r *recorder) ledgerOf(f flight) *ledger {
	switch f.kind {
	case flyRecord:
		return &r.q.ledger
	case flyCrop:
		return &r.crops.ledger
	}
	return &r.b.ledger
}

// land takes the acknowledged messages off the wire, oldest first. An error means that the connection is gone.
func (r *recorder) land() error {
	n := 0
	defer func() { r.fly = append(r.fly[:0], r.fly[n:]...) }()
	for _, f := range r.fly {
		select {
		case <-f.token.Done():
		default:
			return nil
		}
		if err := f.token.Error(); err != nil {
			return err
		}
		r.ledgerOf(f).acked()
		n++
	}
	return nil
}

// abandon sorts out what is on the wire when a connection ends: acknowledged, to be sent again, or lost.
func (r *recorder) abandon() {
	var again []item
	for _, f := range r.fly {
		select {
		case <-f.token.Done():
			if f.token.Error() == nil {
				r.ledgerOf(f).acked()
				continue
			}
		default:
		}
		switch f.kind {
		case flyRecord:
			again = append(again, f.it)
		case flyState:
			r.flown++
		case flyOnce, flyCrop:
			r.ledgerOf(f).lost(1, LostOffline)
		}
	}
	if !r.over() {
		r.crops.close(LostOffline)
		r.crops.clear(LostOffline)
	}
	r.fly = r.fly[:0]
	r.resend = append(again, r.resend...)
}

// farewell says "stopped" and waits until the broker has it.
func (r *recorder) farewell(k *link) (ended bool) {
	t := k.publish(r.topics.Availability(), 1, true, []byte(event.AvailStopped))
	select {
	case <-t.Done():
		if err := t.Error(); err != nil {
			r.failed(err)
			return false
		}
	case err := <-k.lost:
		r.failed(err)
		return false
	case <-r.kill.Done():
		return true
	}
	r.saidGoodby = true
	return true
}

// giveUp counts what is left when the lane has ended.
func (r *recorder) giveUp() {
	r.q.lost(len(r.resend), LostUnconfirmed)
	r.b.lost(r.flown, LostUnconfirmed)
	r.resend, r.flown = nil, 0
	r.q.clear(LostShutdown)
	r.crops.clear(LostShutdown)
	r.b.drop(LostShutdown)
}

// encode is topic and payload of an event.
func encode(t Topics, ev event.Event) (string, []byte, error) {
	topic := t.Of(ev)
	if topic == "" || len(topic) > 65535 {
		return "", nil, errors.New("no topic, or one longer than 65,535 bytes")
	}
	payload, err := event.Marshal(ev)
	return topic, payload, err
}
