package imapd_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"parley/mailflow/store"
)

const many = 100_000

// large is an office with that many letters in Intake.
func large(b *testing.B, n int) *office {
	b.Helper()
	o := newOffice(b)
	box := o.box("", "Intake")
	for from := 0; from < n; from += 5000 {
		drafts := make([]*store.Draft, 5000)
		mails := make([]mail, 5000)
		for i := range drafts {
			mails[i] = mail{raw: fmt.Sprintf("From: \"Acme (vendor, PAR-2026-0007)\" <acme.par-2026-0007@%s>\r\nTo: Coordinators <control@%s>\r\n"+
				"Subject: Re: TLP:AMBER+STRICT [PAR-2026-0007] 2/6 Scope %d\r\nDate: Tue, 01 Dec 2026 10:00:00 +0000\r\nMessage-ID: <%d.x@mail.acme.example>\r\n"+
				"In-Reply-To: <%d.y@vdp.example.org>\r\nParley-Case: PAR-2026-0007\r\nParley-Signature: good; party=acme; trust=confirmed\r\n\r\n%s\r\n",
				desk, desk, from+i, from+i, from+i, strings.Repeat("Some words of a letter, as long as such a line is.\r\n", 40))}
			d, err := o.SealBytes([]byte(mails[i].raw))
			must(b, err)
			drafts[i] = d
		}
		o.update(func(tx *store.Tx) error {
			for i, d := range drafts {
				m, err := putMail(tx, d, mails[i])
				if err != nil {
					return err
				}
				if _, err := tx.File(box.Number, m.ID); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return o
}

// drain reads to the tagged answer, as fast as a client can.
func (c *client) drain(command string) (size int64) {
	c.send("x " + command)
	for {
		line, err := c.in.ReadSlice('\n')
		must(c, err)
		size += int64(len(line))
		if bytes.HasPrefix(line, []byte("x ")) {
			if !bytes.HasPrefix(line, []byte("x OK")) {
				c.Fatalf("%s", line)
			}
			return size
		}
	}
}

// BenchmarkLists are what a client asks for to show a folder of 100,000
// messages, over TLS.
func BenchmarkLists(b *testing.B) {
	o := large(b, many)
	for _, q := range []struct{ name, command string }{
		{"ListView", "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"},
		{"Flags", "UID FETCH 1:* FLAGS"},
		{"Mutt", "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (DATE FROM SENDER SUBJECT TO CC MESSAGE-ID REFERENCES IN-REPLY-TO REPLY-TO)])"},
		{"Select", "SELECT Intake"},
		{"Status", "STATUS Intake (MESSAGES UNSEEN UIDNEXT)"},
		{"Structures", "UID FETCH 1:* (UID BODYSTRUCTURE)"},
		{"SearchText", "UID SEARCH TEXT mangosteen"},
		{"SearchUnseen", "UID SEARCH RETURN (COUNT) UNSEEN"},
		{"SearchSubject", "UID SEARCH RETURN (COUNT) SUBJECT 99999"},
	} {
		b.Run(q.name, func(b *testing.B) {
			c := o.in("ana", "Intake")
			must(b, c.conn.SetReadDeadline(time.Time{}))
			b.ReportAllocs()
			for b.Loop() {
				b.SetBytes(c.drain(q.command))
			}
		})
	}
	b.Run("Bodies2000", func(b *testing.B) {
		c := o.in("ana", "Intake")
		for b.Loop() {
			b.SetBytes(c.drain("UID FETCH 50001:52000 BODY.PEEK[]"))
		}
		b.ReportMetric(2000*float64(b.N)/b.Elapsed().Seconds(), "bodies/s")
	})
	b.Run("Structures2000", func(b *testing.B) {
		c := o.in("ana", "Intake")
		for b.Loop() {
			b.SetBytes(c.drain("UID FETCH 50001:52000 (ENVELOPE BODYSTRUCTURE)"))
		}
	})
}

// BenchmarkExists is the way of a message from its commit to a client in IDLE,
// the commit included.
func BenchmarkExists(b *testing.B) {
	o := openStore(b, false)
	o.open()
	box := o.box("", "Intake")
	c := o.in("ana", "Intake")
	c.talk(`
		C: i IDLE
		S: + idling`)
	must(b, c.conn.SetReadDeadline(time.Time{}))
	n := 0
	for b.Loop() {
		n++
		d, err := o.SealBytes([]byte(letter(n).raw))
		must(b, err)
		o.update(func(tx *store.Tx) error {
			m, err := putMail(tx, d, letter(n))
			if err == nil {
				_, err = tx.File(box.Number, m.ID)
			}
			return err
		})
		line, err := c.in.ReadSlice('\n')
		must(b, err)
		if !bytes.HasSuffix(line, []byte("EXISTS\r\n")) {
			b.Fatalf("%s", line)
		}
	}
}

// BenchmarkAppend is a client that keeps drafts.
func BenchmarkAppend(b *testing.B) {
	o := newOffice(b)
	c := o.as("ana")
	raw := letter(1).raw
	for b.Loop() {
		c.write(fmt.Sprintf("x APPEND Drafts {%d}\r\n", len(raw)))
		c.want("+ ...")
		c.write(raw + "\r\n")
		c.want("x OK ...")
	}
}
