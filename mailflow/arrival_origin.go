package mailflow

import (
	"bytes"
	"context"
	"strings"
	"time"

	"parley/mailflow/origin"
)

// originTime is how long DNS has to say where a mail came from, once its header is
// there. Who sends it waits no longer for the answer to the mail, however slow
// the servers are that its names lead to; and nobody else waits at all.
const originTime = 3 * time.Second

// askOrigin begins to ask, while the rest of the mail comes in; what it gives waits
// for the answers. It looks at what is there of the header, and keeps none of it.
func (in *Intake) askOrigin(ctx context.Context, env Envelope, head []byte) (answers func() *origin.Answers) {
	if in.Resolver == nil {
		return func() *origin.Answers { return nil }
	}
	if i := bytes.Index(head, []byte("\r\n\r\n")); i >= 0 {
		head = head[:i+2]
	}
	m := origin.Mail{Client: env.Remote, Hello: env.Hello, From: env.From, Head: bytes.Clone(head)}
	if env.Front {
		m.Client = ""
	}
	ctx, cancel := context.WithTimeout(ctx, originTime)
	done := make(chan origin.Answers, 1)
	go func() {
		defer cancel()
		done <- origin.Ask(ctx, in.Resolver, m)
	}()
	return func() *origin.Answers {
		a := <-done // comes with the end of ctx at the latest
		return &a
	}
}

// originOf says in one line where a mail came from. It is a text and nothing else:
// nothing but what people read is made of it (rule S8).
func originOf(row spoolRow, raw []byte) string {
	if row.Origin == nil {
		return ""
	}
	return origin.Judge(*row.Origin, raw).String()
}

// originWords say the same to readers.
func originWords(a *arrival) string {
	if a.origin == "" {
		return ""
	}
	return "\nIts way here: " + strings.ReplaceAll(a.origin, "=", " ") + ". That is about mail servers: it does not say who wrote it, and decides nothing."
}
