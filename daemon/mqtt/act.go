package mqtt

import (
	"time"

	"gleaner/daemon/event"
)

// actor is the act lane: live verdicts, QoS 0, one at a time, nothing kept.
type actor struct {
	lane
	q      *queue
	topics Topics
	maxAge time.Duration
}

func (a *actor) done() bool { return a.q.empty() }

// work sends verdicts. They are taken only while it runs: without a connection each is lost at once, and what the
// connection leaves behind when it breaks as well.
func (a *actor) work(k *link) (ended bool) {
	if !a.over() {
		a.q.open()
	}
	defer func() {
		if !a.over() {
			a.q.close(LostOffline)
			a.q.clear(LostOffline)
		}
	}()
	for {
		for {
			it, ok := a.q.pop()
			if !ok {
				break
			}
			if err := a.one(k, it); err != nil {
				a.failed(err)
				return false
			}
		}
		select {
		case <-a.wake:
		case err := <-k.lost:
			a.failed(err)
			return false
		case <-a.kill.Done():
			return true
		case <-a.closing:
			if a.q.empty() {
				return true
			}
		}
	}
}

// one sends a verdict unless its time is over.
func (a *actor) one(k *link, it item) error {
	act := event.Value(it.ev).(event.Act)
	now := time.Now()
	if now.Sub(it.at) > a.maxAge || act.ActuateAt != 0 && now.UnixMicro() > act.ActuateAt {
		a.q.lost(1, LostLate)
		return nil
	}
	topic, payload, err := encode(a.topics, act)
	if err != nil {
		a.log.Error("verdict not sent", "err", err)
		a.q.lost(1, LostEncoding)
		return nil
	}
	t := k.publish(topic, 0, false, payload)
	a.q.sent()
	if err := wait(a.kill, t); err != nil {
		a.q.lost(1, LostOffline)
		return err
	}
	a.q.acked()
	return nil
}
