package courier

import (
	"context"
	"errors"
	"fmt"
)

// Probe makes one connection as Deliver would, with TLS and login, and ends it: nil
// means that the smarthost takes us in. No mail is named.
func (c *Courier) Probe(ctx context.Context) error {
	if !isDomain(c.Hello) {
		return errNoHello
	}
	s, err := c.connect(ctx)
	if err != nil {
		r := unconnected(err)
		return fmt.Errorf("%s: %w", r.Step, errors.Join(r.Err, ctx.Err()))
	}
	s.quit()
	return nil
}
