package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"gleaner/daemon/event"
	"gleaner/daemon/metrics"
	"gleaner/daemon/mqtt"
	"gleaner/model/bundle"
)

// storeInterval is how often the store is asked which bundle is the current one: one small file.
const storeInterval = 500 * time.Millisecond

// watchStore takes a new current bundle into the running pipelines: opened beside the old one, put in place between two
// frames, then the old one closed. A bundle that fails to load changes nothing; it is said once.
func (d *daemon) watchStore(ctx context.Context, seen string) {
	tick := time.NewTicker(storeInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case answer := <-d.switches:
			seen = d.storeState()
			answer <- d.switchModels()
		case <-tick.C:
			if mark := d.storeState(); mark != seen {
				seen = mark
				_ = d.switchModels() // logged and counted there
			}
		}
	}
}

// storeState is the file that names the current bundle, as it is now; empty when there is none.
func (d *daemon) storeState() string {
	b, err := os.ReadFile(d.models.store.StatePath())
	if err != nil {
		return ""
	}
	return string(b)
}

// switchModels brings every camera's classifier up to the store: all of them, or none when one cannot be opened.
func (d *daemon) switchModels() error {
	next, err := d.openSuccessors()
	if err != nil {
		d.registry.Counter(metrics.ModelSwitch, "refused").Inc()
		d.log.Error("bundle not switched, the old one stays", "err", err)
	} else if len(next) > 0 {
		var closing []error
		for _, n := range next {
			closing = append(closing, n.takeOver())
		}
		if err := errors.Join(closing...); err != nil { // the new ones work all the same
			d.log.Warn("old bundle not closed", "err", err)
		}
		d.registry.Counter(metrics.ModelSwitch, "ok").Inc()
		d.log.Info("bundle switched", "models", d.modelNames())
		debug.FreeOSMemory() // the files that were read to be verified, many times the daemon's own heap
	}
	d.mqtt.Publish(d.info())
	return err
}

// openSuccessors opens what each camera is to go on with. On an error nothing is left open.
func (d *daemon) openSuccessors() ([]*successor, error) {
	var next []*successor
	for _, s := range d.stations {
		n, err := s.openSuccessor(d.models)
		if err != nil {
			for _, n := range next {
				err = errors.Join(err, n.release())
			}
			return nil, err
		}
		if n != nil {
			next = append(next, n)
		}
	}
	return next, nil
}

// command answers the MQTT commands that concern the daemon.
func (d *daemon) command(ctx context.Context, verb string, payload []byte) (any, error) {
	if !d.ready.Load() {
		return nil, errors.New("the daemon is still starting")
	}
	switch verb {
	case "status":
		return d.Snapshot(), nil
	case "models-use":
		var req struct {
			Bundle string `json:"bundle"`
		}
		if err := json.Unmarshal(payload, &req); err != nil || req.Bundle == "" {
			return nil, errors.New(`needs {"bundle":"name"}`)
		}
		return d.useBundle(ctx, req.Bundle)
	}
	return nil, mqtt.ErrUnknownVerb
}

// useBundle makes an installed bundle the current one, and every camera that uses "current" takes it over. It is opened
// first: one that fails to load, or to give its known answers, changes nothing, in the store neither.
func (d *daemon) useBundle(ctx context.Context, ref string) (any, error) {
	if strings.ContainsRune(ref, filepath.Separator) {
		return nil, fmt.Errorf("%q is not the name or id of an installed bundle", ref)
	}
	_, release, err := d.models.OpenClassifier([]string{ref})
	if err != nil {
		return nil, err
	}
	defer func() { _ = release() }() // those that use it by now keep it open
	if _, _, err := d.models.Known(ctx, ref); err != nil {
		return nil, err
	}
	if _, err := d.models.store.Use(ref); err != nil {
		return nil, err
	}
	answer := make(chan error, 1)
	select {
	case d.switches <- answer:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := <-answer; err != nil {
		return nil, err
	}
	return map[string]string{"current": ref}, nil
}

// modelNames are the names of the networks in use.
func (d *daemon) modelNames() []string {
	var out []string
	for _, m := range d.info().Models {
		out = append(out, m.Name)
	}
	return out
}

// info is the retained message about what runs here.
func (d *daemon) info() event.Info {
	in := event.Info{Site: d.o.MQTT.Site, Node: d.mqtt.Node(), Software: d.r.Version, Boot: d.boot,
		Started: event.Micros(d.started), Rev: 1}
	for _, s := range d.stations {
		in.Cameras = append(in.Cameras, s.spec.Name)
	}
	d.models.each(func(b *bundle.Bundle, l *loaded) {
		i := l.pool.Info()
		in.Models = append(in.Models, event.ModelInfo{Name: b.Manifest.Name, Version: b.Manifest.Version,
			Task: b.Manifest.Task, SHA256: b.ID(), Delegate: i.Delegate, Ladder: i.Ladder})
	})
	return in
}

// logModels says what each network runs on, and why not on what stands higher on the ladder.
func (d *daemon) logModels() {
	for _, m := range d.info().Models {
		args := []any{"name", m.Name, "sha256", m.SHA256, "delegate", m.Delegate}
		for _, r := range m.Ladder {
			if !r.Used && r.Reason != "" {
				args = append(args, "not_"+r.Name, r.Reason)
			}
		}
		d.log.Info("model", args...)
	}
}

// reportMetrics publishes the numbers every 30 s.
func (d *daemon) reportMetrics(ctx context.Context) {
	tick := time.NewTicker(30 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			d.mqtt.Publish(event.Metrics{Boot: d.boot, At: event.Micros(now), Values: d.registry.Values()})
		}
	}
}
