package monitor

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"

	"parley/mailflow/courier"
)

// Each smarthost is counted by its number, and one that is left aside shows; no name stands there (rule H6).
func TestH6_Smarthosts(t *testing.T) {
	t.Parallel()
	counts := NewCounts()
	counts.Heard(1, courier.Result{Outcome: courier.Later, Text: "canary"}, false)
	counts.Heard(2, courier.Result{Outcome: courier.Sent}, true)
	counts.Heard(2, courier.Result{Outcome: courier.Sent}, true)
	s := New(counts, func() error { return nil }, func() ([]Figure, error) { return nil, nil }, slog.New(slog.DiscardHandler))
	w := httptest.NewRecorder()
	s.http.Handler.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{
		`parley_smarthost_attempts_total{result="later",smarthost="1"} 1`, `parley_smarthost_attempts_total{result="sent",smarthost="2"} 2`,
		`parley_smarthost_up{smarthost="1"} 0`, `parley_smarthost_up{smarthost="2"} 1`,
	} {
		if !strings.Contains(w.Body.String(), "\n"+want+"\n") {
			t.Errorf("the metrics lack %q:\n%s", want, w.Body)
		}
	}
	if strings.Contains(w.Body.String(), "canary") {
		t.Error("they repeat what a server said")
	}
}
