package mqtt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
	"unicode/utf8"

	"gleaner/daemon/event"
)

// ErrUnknownVerb is what Options.Handle answers for a verb that it does not know.
var ErrUnknownVerb = errors.New("unknown command")

const (
	maxCommand   = 64 << 10 // bytes of a command's payload
	maxCommandID = 128      // bytes of its id
	maxWaiting   = 16       // commands
)

// Command is what came in on cmd/<verb>.
type Command struct {
	ID      string // chosen by the sender, comes back in the result; 1 to 128 bytes
	Payload []byte // the whole JSON object, the id among its members
}

// ParseCommand reads a command's payload, one JSON object of 64 KiB at most with a member "id" that is a string. The id
// is returned as far as it could be read, for the answer, even with an error.
func ParseCommand(payload []byte) (Command, error) {
	if len(payload) > maxCommand {
		return Command{}, fmt.Errorf("the command has %d bytes; %d are the most", len(payload), maxCommand)
	}
	var c struct {
		ID *string `json:"id"`
	}
	if !utf8.Valid(payload) {
		return Command{}, errors.New("the command is not UTF-8")
	}
	if err := json.Unmarshal(payload, &c); err != nil {
		return Command{}, fmt.Errorf("the command is no JSON object with a string id: %w", err)
	}
	switch {
	case c.ID == nil || *c.ID == "":
		return Command{}, errors.New("the command has no id")
	case len(*c.ID) > maxCommandID:
		return Command{}, fmt.Errorf("the command's id has %d bytes; %d are the most", len(*c.ID), maxCommandID)
	}
	return Command{*c.ID, payload}, nil
}

// order is a command as it came from the broker.
type order struct {
	topic    string
	payload  []byte
	retained bool
}

// commander carries out commands, one after the other, on a goroutine of its own.
type commander struct {
	topics Topics
	log    *slog.Logger
	handle func(ctx context.Context, verb string, payload []byte) (any, error)
	reply  func(event.CommandResult)
	in     chan order
	recent []string // verb and id of the last commands: QoS 1 may bring one twice
}

// take hands a command over from paho's callback and never blocks; false: too many wait already.
func (c *commander) take(topic string, payload []byte, retained bool) bool {
	select {
	case c.in <- order{topic, payload, retained}:
		return true
	default:
		return false
	}
}

func (c *commander) run(ctx context.Context) {
	for {
		select {
		case o := <-c.in:
			c.carryOut(ctx, o)
		case <-ctx.Done():
			return
		}
	}
}

func (c *commander) carryOut(ctx context.Context, o order) {
	verb, ok := c.topics.Verb(o.topic)
	if !ok || len(o.payload) == 0 && o.retained { // an empty retained message only deletes one
		return
	}
	cmd, err := ParseCommand(o.payload)
	res := event.CommandResult{ID: cmd.ID, Verb: verb}
	switch {
	case o.retained:
		err = errors.New("ignored: a retained command would run again at every connection; send it without retain")
	case err != nil:
	case c.repeated(verb, cmd.ID):
		return
	case verb == "ping":
		res.Result = "pong"
	case c.handle == nil:
		err = ErrUnknownVerb
	default:
		res.Result, err = c.handle(ctx, verb, cmd.Payload)
	}
	if err != nil {
		res.Error, res.Result = err.Error(), nil
	}
	res.OK, res.At = err == nil, time.Now().UnixMicro()
	if _, merr := event.Marshal(res); merr != nil {
		res.OK, res.Result, res.Error = false, nil, merr.Error()
	}
	c.log.Info("command", "verb", verb, "id", cmd.ID, "ok", res.OK, "err", res.Error)
	c.reply(res)
}

func (c *commander) repeated(verb, id string) bool {
	key := verb + "\x00" + id
	if slices.Contains(c.recent, key) {
		return true
	}
	if len(c.recent) == 64 {
		c.recent = c.recent[1:]
	}
	c.recent = append(c.recent, key)
	return false
}
