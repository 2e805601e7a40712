package mqtt

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gleaner/daemon/event"
)

// Stats is the publisher at one moment.
type Stats struct {
	Broker string     `json:"broker"` // host:port
	Own    bool       `json:"own"`    // it is the embedded one
	Act    Connection `json:"act"`
	Main   Connection `json:"main"` // everything but act

	ActLane     LaneStats `json:"act_lane"`
	ObjectLane  LaneStats `json:"object_lane"`  // objects, presence, crossings, zones, answers to commands
	StateLane   LaneStats `json:"state_lane"`   // retained values and metrics
	CropLane    LaneStats `json:"crop_lane"`    // pictures of objects
	CommandLost uint64    `json:"command_lost"` // commands that came faster than they were carried out
}

// Connection is one of the publisher's two connections.
type Connection struct {
	Connected  bool   `json:"connected"`
	Reconnects uint64 `json:"reconnects"` // connections after the first
	LastError  string `json:"last_error,omitempty"`
}

// Publisher is an event.Sink that carries events to a broker. Live verdicts have a connection of their own, so that they
// never wait behind records.
type Publisher struct {
	log    *slog.Logger
	o      Options
	topics Topics
	broker *Broker // nil unless embedded

	act  *actor
	rec  *recorder
	cmds *commander

	closing, enough, ended chan struct{}
	kill                   context.CancelFunc
	stopCommands           context.CancelFunc
	lanes, others          sync.WaitGroup
	once                   sync.Once
	cmdLost                atomic.Uint64
}

// New starts a publisher, and with it the embedded broker when o names no other. It returns at once: a broker that is
// away is tried again and again, and Stats says why. An error is one of the options or of the embedded broker's port.
func New(o Options, log *slog.Logger) (*Publisher, error) {
	if err := o.Check(); err != nil {
		return nil, fmt.Errorf("mqtt: %w", err)
	}
	if o.Node == "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("mqtt: node: the host has no name: %w", err)
		}
		o.Node = host
	}
	secure, err := o.tls()
	if err != nil {
		return nil, fmt.Errorf("mqtt: %w", err)
	}
	pass, err := o.password()
	if err != nil {
		return nil, fmt.Errorf("mqtt: %w", err)
	}
	p := &Publisher{log: log, o: o, topics: NewTopics(o.Prefix, o.Site, o.Node),
		closing: make(chan struct{}), enough: make(chan struct{}), ended: make(chan struct{})}
	hostport, _, _ := o.address() // Check has seen it
	if o.Broker == "" {
		if p.broker, err = StartBroker(o.Embedded.Listen, o.User, pass, log); err != nil {
			return nil, err
		}
		hostport = p.broker.Dial()
	}
	p.start(dialer{o: o, hostport: hostport, tls: secure, clientID: o.clientID()})
	return p, nil
}

// start makes the lanes and sets them going.
func (p *Publisher) start(d dialer) {
	kill, cancel := context.WithCancel(context.Background())
	p.kill = cancel
	newLane := func(name string, d dialer) lane {
		return lane{name: name, d: &d, log: p.log, wake: make(chan struct{}, 1), closing: p.closing, kill: kill}
	}
	ad := d
	ad.clientID += "-act"
	ad.silence = 2 * time.Second
	p.act = &actor{lane: newLane("act", ad), q: newQueue(64), topics: p.topics, maxAge: p.o.ActMaxAge}
	p.act.q.close(LostOffline)

	p.cmds = &commander{topics: p.topics, log: p.log, handle: p.o.Handle, in: make(chan order, maxWaiting),
		reply: func(r event.CommandResult) { p.Publish(r) }}
	d.silence = max(p.o.KeepAlive, 5*time.Second)
	d.will = p.topics.Availability()
	d.commands = p.topics.Commands()
	d.incoming = func(topic string, payload []byte, retained bool) {
		if !p.cmds.take(topic, payload, retained) {
			p.cmdLost.Add(1)
		}
	}
	p.rec = &recorder{lane: newLane("main", d), q: newQueue(p.o.Queue), b: newBoard(), crops: newQueue(maxCrops),
		topics: p.topics, enough: p.enough}
	p.rec.crops.close(LostOffline)

	cctx, stop := context.WithCancel(context.Background())
	p.stopCommands = stop
	p.others.Go(func() { p.cmds.run(cctx) })
	p.others.Go(p.reportLoss)
	p.lanes.Go(func() { p.act.run(p.act) })
	p.lanes.Go(func() { p.rec.run(p.rec) })
}

// Topics are the device's topics.
func (p *Publisher) Topics() Topics { return p.topics }

// Node is the device's name in the topics.
func (p *Publisher) Node() string { return p.o.Node }

// Broker is the embedded broker, nil when another is used.
func (p *Publisher) Broker() *Broker { return p.broker }

// Publish takes an event and returns at once, whatever the network does: an act or a crop is dropped unless its
// connection stands, records wait in the queue, and of status, count, info, last and metrics the latest of each topic.
// The availability is the publisher's own business; one that comes in here is ignored.
func (p *Publisher) Publish(e event.Event) {
	switch v := event.Value(e).(type) {
	case event.Act:
		p.act.q.push(v, time.Now())
		p.act.nudge()
		return
	case event.Object, event.Presence, event.Crossing, event.Zone, event.CommandResult:
		p.rec.q.push(v, time.Now())
	case event.Crop:
		p.rec.crops.push(v, time.Now())
	case event.Availability:
		return
	default:
		_, once := v.(event.Metrics)
		p.rec.b.post(p.topics.Of(v), v, once)
	}
	p.rec.nudge()
}

// Stats is what became of everything so far. It may be called from any goroutine.
func (p *Publisher) Stats() Stats {
	s := Stats{Broker: p.rec.d.hostport, Own: p.broker != nil, ActLane: p.act.q.stats(), ObjectLane: p.rec.q.stats(),
		StateLane: p.rec.b.stats(), CropLane: p.rec.crops.stats(), CommandLost: p.cmdLost.Load()}
	s.Act.Connected, s.Act.Reconnects, s.Act.LastError = p.act.status()
	s.Main.Connected, s.Main.Reconnects, s.Main.LastError = p.rec.status()
	return s
}

// Close refuses further events, sends what waits, says "stopped" and ends, all before ctx does; then what was not sent
// is counted as lost. Without a deadline in ctx it takes 5 s at most, and up to 2 s longer when the network stands
// still. While the broker is away it makes one attempt more and no other. A second call waits for the first.
func (p *Publisher) Close(ctx context.Context) error {
	p.once.Do(func() { p.shutdown(ctx) })
	<-p.ended
	if n := p.rec.q.stats().Lost[LostShutdown] + p.rec.q.stats().Lost[LostUnconfirmed]; n > 0 {
		return fmt.Errorf("mqtt: %d records were not delivered before the end", n)
	}
	return nil
}

func (p *Publisher) shutdown(ctx context.Context) {
	defer close(p.ended)
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(5 * time.Second)
	}
	left := time.Until(deadline)
	p.stopCommands()
	p.act.q.close(LostClosed)
	p.rec.q.close(LostClosed)
	p.rec.crops.close(LostClosed)
	p.rec.b.close()
	close(p.closing)

	ended := make(chan struct{})
	p.others.Go(func() { // kills the lanes when time is over
		enough := time.NewTimer(left - min(left/4, time.Second)) // the rest is for "stopped"
		defer enough.Stop()
		over := time.NewTimer(left)
		defer over.Stop()
		done := ctx.Done()
		for {
			select {
			case <-enough.C:
				close(p.enough)
				continue
			case <-over.C:
			case <-done:
			case <-ended:
				return
			}
			p.kill()
			p.act.sever()
			p.rec.sever()
			return
		}
	})
	p.lanes.Wait()
	close(ended)
	p.others.Wait()
	p.kill()
	p.act.q.clear(LostShutdown)
	p.rec.giveUp()
	if p.broker != nil {
		if err := p.broker.Close(p.act.d.clientID, p.rec.d.clientID); err != nil {
			p.log.Warn("close embedded broker", "err", err)
		}
	}
}

// reportLoss logs new losses, once a second at most, until Close.
func (p *Publisher) reportLoss() {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	said := map[string]uint64{}
	for {
		select {
		case <-tick.C:
		case <-p.closing:
			return
		}
		now := map[string]uint64{}
		s := p.Stats()
		for lane, l := range map[string]LaneStats{"act": s.ActLane, "object": s.ObjectLane, "state": s.StateLane, "crop": s.CropLane} {
			for why, n := range l.Lost {
				now[lane+" "+why] = n
			}
		}
		if s.CommandLost > 0 {
			now["command overflow"] = s.CommandLost
		}
		if maps.Equal(now, said) {
			continue
		}
		attrs := []any{}
		for k, n := range now {
			if d := n - said[k]; d > 0 {
				attrs = append(attrs, slog.Uint64(k, d))
			}
		}
		p.log.Warn("messages lost", attrs...)
		said = now
	}
}

var _ event.Sink = (*Publisher)(nil)
