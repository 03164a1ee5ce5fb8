package mailflow

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"time"
	"unicode"

	"parley/keyring"
	"parley/mailflow/broken"
	"parley/mailflow/message"
	"parley/mailflow/origin"
	"parley/mailflow/store"
)

// Intake takes mail from the public port, keeps it, and finds its place.
type Intake struct {
	*Base
	Parallel int // messages opened at once; 1 where zero
	Waiting  int // small ones beyond these that may wait for their commit at once: fsyncs are shared by those that wait
	// Resolver is asked what DNS says of where a mail came from, for the desk to read; nil: nobody is.
	Resolver origin.Resolver

	large   sync.Mutex // held while a large message is processed
	readers sync.Pool  // of *bufio.Reader, each as large as the part of a header that is looked at
	pace    pace       // of filing, which steps back where clients wait
}

// largeMail is from what size on messages are processed one after the other:
// opening one takes about three times its size in memory.
const largeMail = 1 << 20

// The fixed local parts of the public domain.
const (
	localReport    = "report"
	localReportKey = "report-key"
	localPost      = "postmaster"
	localAbuse     = "abuse"
	prefixCase     = "case+"
	prefixBounce   = "bounce+"
)

// spoolRow is a mail that was accepted and not yet processed. It stands until
// its processing committed (rule T2).
type spoolRow struct {
	ID       uint64
	Envelope Envelope
	At       time.Time
	Body     store.Body
	Tries    int
	Origin   *origin.Answers `json:",omitempty"` // what DNS said when it came; nil: nobody asked
}

// CheckRcpt answers one RCPT on the public port: nil, or the reply. Words and
// cost are the same for whatever does not exist here (rules M1, M2): the same
// look-ups are made for every address but those that are public and always there.
func (in *Intake) CheckRcpt(_ context.Context, _ Envelope, rcpt string) error {
	to, ours := in.localPart(rcpt)
	known := ours && (to == localReport || to == localReportKey || to == localPost || to == localAbuse)
	err := in.Store.View(func(tx *store.Tx) error { // fails where no mail could be kept
		if !known {
			kind, token := splitLocal(to)
			live := in.tokenLive(tx, kind, token) // of whatever domain
			known = ours && live
		}
		return nil
	})
	if err != nil {
		return replyLater
	}
	if !known {
		return replyNoMailbox
	}
	return nil
}

// localPart gives the local part in lower case, and whether the domain is our
// public one. A bare postmaster is ours (RFC 5321 section 4.1.1.3). All that is ours
// is ASCII: a letter that Unicode takes for one of it, as the Kelvin sign, is not.
func (in *Intake) localPart(addr string) (string, bool) {
	if strings.ContainsFunc(addr, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", false
	}
	i := strings.LastIndexByte(addr, '@')
	if i < 0 {
		return strings.ToLower(addr), strings.EqualFold(addr, localPost)
	}
	return strings.ToLower(addr[:i]), strings.EqualFold(addr[i+1:], in.Domain)
}

// splitLocal tells a token from the kind of address that it stands in.
func splitLocal(local string) (kind, token string) {
	for _, p := range []string{prefixCase, prefixBounce} {
		if t, ok := strings.CutPrefix(local, p); ok {
			return p, t
		}
	}
	return "", local
}

// tokenLive looks a token up by its HMAC, so that the time of the look-up
// tells nothing of near misses. All tables are asked for every address that it is
// called for.
func (in *Intake) tokenLive(tx *store.Tx, kind, token string) bool {
	thread, errThread := tokens.Get(tx, tokenKey(tx, token))
	_, errBounce := bounces.Get(tx, tx.Name("bounce", token))
	tally, errTally := tallyOf(tx, token)
	switch kind {
	case prefixCase:
		return errThread == nil && !thread.Revoked
	case prefixBounce:
		return errBounce == nil && errTally == nil && !tally.full()
	}
	return false
}

// Receive keeps one mail. It returns nil only after the sealed bytes and
// their row are on disk (rule T1); any other return means that nothing was
// accepted.
func (in *Intake) Receive(ctx context.Context, env Envelope, r io.Reader) error {
	br, ok := in.readers.Get().(*bufio.Reader)
	if !ok {
		br = bufio.NewReaderSize(nil, 64<<10)
	}
	br.Reset(in.Reserve.watch(r))
	defer func() {
		br.Reset(nil) // nothing of the mail is kept alive
		in.readers.Put(br)
	}()
	head, err := br.Peek(br.Size()) // of a short mail, all that there is
	if err != nil && err != io.EOF {
		return storeReply(err)
	}
	if countReceived(head) > in.Limits.Received {
		return &Reply{554, [3]int{5, 4, 6}, "Too many hops"}
	}
	whole, mail := err == io.EOF, io.LimitReader(br, in.Limits.Size+1)
	if in.refusesClear(env) {
		if !whole {
			if head, err = io.ReadAll(mail); err != nil {
				return storeReply(err)
			}
			whole = true
		}
		if err := in.mustBeEncrypted(head); err != nil {
			return err
		}
	}
	asked := in.askOrigin(ctx, env, head)
	d, err := in.sealMail(head, whole, mail)
	if err != nil {
		return storeReply(err)
	}
	if d.Size > in.Limits.Size {
		d.Drop()
		return replyTooLarge
	}
	said := asked()
	in.pace.arrived()
	if broken.Is(broken.AnswerFirst) {
		time.AfterFunc(broken.Lazy, func() { _ = in.keepSpooled(d, env, said) })
		return nil
	}
	return storeReply(in.keepSpooled(d, env, said))
}

// sealMail seals the whole of a mail from where it stands, and what does not stand in
// memory as it is read.
func (in *Intake) sealMail(head []byte, whole bool, mail io.Reader) (*store.Draft, error) {
	if whole {
		return in.Store.SealBytes(head)
	}
	return in.Store.Seal(mail)
}

// spoolTopic is what those hear of who process what was accepted.
const spoolTopic = "spool"

// keepSpooled commits to a mail whose bytes are sealed: to one that is small and counted nowhere by the short way (store, Append).
func (in *Intake) keepSpooled(d *store.Draft, env Envelope, said *origin.Answers) error {
	defer d.Drop()
	row := func(body store.Body, at time.Time) spoolRow {
		return spoolRow{ID: body.ID, Envelope: env, At: at, Body: body, Origin: said} // numbered as its body is: counting would be one row more
	}
	if !in.bounces(env) {
		err := spool.Append(in.Store, spoolScope, d, spoolTopic, row)
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
	}
	return in.Store.Update(func(tx *store.Tx) error {
		if err := tx.NewScope(spoolScope); err != nil {
			return err
		}
		if err := in.countBounces(tx, env, d.Size); err != nil {
			return err
		}
		body, err := tx.Keep(d)
		if err != nil {
			return err
		}
		tx.Changed(store.Change{Topic: spoolTopic})
		return spool.Put(tx, spoolScope, store.Seq(body.ID), row(body, tx.Now))
	})
}

// refusesClear says whether a mail is a report that must come encrypted. What
// goes to a thread as well is taken, and ends in Quarantine: a refusal would
// send the secret across the network once more.
func (in *Intake) refusesClear(env Envelope) bool {
	report := false
	for _, rcpt := range env.To {
		local, _ := in.localPart(rcpt)
		report = report || local == localReport
		if strings.HasPrefix(local, prefixCase) {
			return false
		}
	}
	return report && in.Plaintext == "refuse"
}

// mustBeEncrypted refuses a mail in which nothing is encrypted, while the
// client is still there to be told (rule M3). What cannot be read is kept.
func (in *Intake) mustBeEncrypted(raw []byte) error {
	root, err := message.Parse(raw, in.Limits)
	if err != nil {
		return nil
	}
	found := false
	root.Walk(func(p *message.Part) bool {
		found = found || holdsCiphertext(p)
		return !found
	})
	if found {
		return nil
	}
	return &Reply{550, [3]int{5, 7, 1}, "Reports are taken encrypted only; write to report-key@" + in.Domain + " for our key"}
}

// holdsCiphertext looks for what is or could be encrypted: whether it really is
// shows when it is opened.
func holdsCiphertext(p *message.Part) bool {
	if p.MediaType == "multipart/encrypted" || p.MediaType == "application/pgp-encrypted" {
		return true
	}
	if len(p.Children) > 0 {
		return false
	}
	body, err := p.Body()
	return err != nil || keyring.IsEncrypted(body) || bytes.Contains(body, []byte("-----BEGIN "+keyring.ArmorMessage+"-----"))
}

// countReceived counts Received fields in what is there of the header; the buffer
// that it stands in bounds the work.
func countReceived(head []byte) int {
	if i := bytes.Index(head, []byte("\r\n\r\n")); i >= 0 {
		head = head[:i]
	}
	n := 0
	for line := range bytes.Lines(head) {
		if len(line) > 9 && strings.EqualFold(string(line[:9]), "received:") {
			n++
		}
	}
	return n
}

// storeReply turns an error of the store, or of reading the mail, into what a
// mail server may hear. That the line broke the endpoint knows by itself.
func storeReply(err error) error {
	var reply *Reply
	switch {
	case err == nil:
		return nil
	case errors.As(err, &reply):
		return reply
	case errors.Is(err, store.ErrFull):
		return replyFull
	}
	return replyLater
}
