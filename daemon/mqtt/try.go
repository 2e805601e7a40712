package mqtt

import (
	"context"
	"fmt"
	"log/slog"
)

// Try connects to the broker as a Publisher would, but under a client id of its own and without a word or a last will,
// so that a running device is not disturbed. It says in words what was found. For the embedded broker it only sees
// whether the port is free.
func Try(ctx context.Context, o Options) (string, error) {
	if err := o.Check(); err != nil {
		return "", fmt.Errorf("mqtt: %w", err)
	}
	pass, err := o.password()
	if err != nil {
		return "", fmt.Errorf("mqtt: %w", err)
	}
	if o.Broker == "" {
		b, err := StartBroker(o.Embedded.Listen, o.User, pass, slog.New(slog.DiscardHandler))
		if err != nil {
			return "", err
		}
		what := "the embedded one, on " + b.Addr()
		if b.Note() != "" {
			what += " (" + b.Note() + ")"
		}
		return what, b.Close()
	}
	secure, err := o.tls()
	if err != nil {
		return "", fmt.Errorf("mqtt: %w", err)
	}
	hostport, _, err := o.address()
	if err != nil {
		return "", fmt.Errorf("mqtt: %w", err)
	}
	d := dialer{o: o, hostport: hostport, tls: secure, clientID: o.clientID() + "-doctor"}
	l, err := d.connect(ctx)
	if err != nil {
		return "", err
	}
	l.close()
	if secure != nil {
		return hostport + " answers, with TLS", nil
	}
	return hostport + " answers, without TLS", nil
}
