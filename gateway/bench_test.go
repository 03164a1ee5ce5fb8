package main

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-smtp"

	"parley/mailflow/mailtest"
)

// benchGateway is a whole gateway on loopback, with the connection limits out
// of the way.
func benchGateway(b testing.TB) *demo {
	b.Helper()
	d := newDemo(io.Discard, newFastClock(time.Now()))
	d.edit = func(text []byte) []byte {
		for _, key := range []string{"connections", "connections_per_ip"} {
			text = setLimit(text, key)
		}
		return text
	}
	b.Cleanup(func() {
		if err := d.close(); err != nil {
			b.Error(err)
		}
	})
	if err := d.build(world{os.Stdin, io.Discard, os.Stderr}, false); err != nil {
		b.Fatal(err)
	}
	return d
}

func setLimit(text []byte, key string) []byte {
	var out [][]byte
	for line := range bytes.Lines(text) {
		if word, _, _ := strings.Cut(strings.TrimLeft(string(line), "# "), " "); word == key {
			line = []byte(key + " = 1000\n")
		}
		out = append(out, line)
	}
	return bytes.Join(out, nil)
}

// mail4k is a mail of about 4 kB, different each time.
func mail4k(n int) []byte {
	b := make([]byte, 2700)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	text := base64.StdEncoding.EncodeToString(b)
	var lines strings.Builder
	for len(text) > 76 {
		lines.WriteString(text[:76] + "\n")
		text = text[76:]
	}
	return mailtest.Plain("bench@peer.example", "report@"+demoDomain, fmt.Sprintf("report %d", n), lines.String()+text, time.Now())
}

// BenchmarkDataTo250 is one message from MAIL to the 250 after the fsync, on
// kept connections, for the named number of sessions at once. What was
// accepted is processed at the same time, as in life.
func BenchmarkDataTo250(b *testing.B) {
	for _, sessions := range []int{1, 10, 64} {
		b.Run(fmt.Sprintf("sessions=%d", sessions), func(b *testing.B) {
			d := benchGateway(b)
			work := make(chan int)
			var wg sync.WaitGroup
			for range sessions {
				c, err := smtp.Dial(d.addr("smtp"))
				if err != nil {
					b.Fatal(err)
				}
				wg.Go(func() {
					defer c.Close()
					for n := range work {
						if err := c.SendMail("bench@peer.example", []string{"report@" + demoDomain}, bytes.NewReader(mail4k(n))); err != nil {
							b.Error(err)
						}
					}
				})
			}
			b.ResetTimer()
			for i := range b.N {
				work <- i
			}
			close(work)
			wg.Wait()
			b.StopTimer()
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
		})
	}
}

// BenchmarkReportToExists is the time from the end of DATA of an encrypted
// report until a coordinator's idle client hears EXISTS.
func BenchmarkReportToExists(b *testing.B) {
	d := benchGateway(b)
	ana, err := d.coordinator(b.Context(), "ana")
	if err != nil {
		b.Fatal(err)
	}
	exists := make(chan uint32, 16)
	cfg, err := d.trust()
	if err != nil {
		b.Fatal(err)
	}
	watch, err := imapclient.DialTLS(d.addr("imap"), &imapclient.Options{TLSConfig: cfg, UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(m *imapclient.UnilateralDataMailbox) {
			if m.NumMessages != nil {
				exists <- *m.NumMessages
			}
		}}})
	if err != nil {
		b.Fatal(err)
	}
	defer watch.Close()
	if err := watch.Login("ana", ana.password).Wait(); err != nil {
		b.Fatal(err)
	}
	if _, err := watch.Select("Intake", nil).Wait(); err != nil {
		b.Fatal(err)
	}
	idle, err := watch.Idle()
	if err != nil {
		b.Fatal(err)
	}
	defer idle.Close()
	finder, err := mailtest.NewPerson("Finder", "finder@peer.example", time.Now)
	if err != nil {
		b.Fatal(err)
	}
	ours, err := d.ours()
	if err != nil {
		b.Fatal(err)
	}
	c, err := smtp.Dial(d.addr("smtp"))
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for b.Loop() {
		b.StopTimer()
		armored, err := finder.Seal(mailtest.Entity("bench", strings.Repeat("text of a report\n", 240)), ours, true)
		if err != nil {
			b.Fatal(err)
		}
		mail := mailtest.PGPMIME(finder.Address, "report@"+demoDomain, time.Now(), armored)
		b.StartTimer()
		if err := c.SendMail(finder.Address, []string{"report@" + demoDomain}, bytes.NewReader(mail)); err != nil {
			b.Fatal(err)
		}
		<-exists
	}
}
