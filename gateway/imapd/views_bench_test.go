package imapd_test

import (
	"testing"
	"time"

	"parley/gateway/auth"
)

// BenchmarkViews is the list of a folder of 5,000 messages as each view serves
// it: the first time, when what it shows is made, and again.
func BenchmarkViews(b *testing.B) {
	const command = "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)"
	o := large(b, 5000)
	o.keyOf("ana", o.person("Ana", "ana@"+desk))
	for _, view := range []string{auth.ViewClear, auth.ViewHeadlines, auth.ViewSealed} {
		login := "ana/" + view
		o.login(login, "ana", view, password)
		c := o.in(login, "Intake")
		before := time.Now()
		c.drain(command)
		first := time.Since(before)
		b.Run(view, func(b *testing.B) {
			for b.Loop() {
				b.SetBytes(c.drain(command))
			}
			b.ReportMetric(first.Seconds()*1000, "first-ms")
		})
	}
}
