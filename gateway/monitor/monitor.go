// Package monitor tells a monitoring system how the gateway is: metrics in the
// text form of Prometheus, and whether it is ready. It holds counts, sizes and
// instants, and no name, address or case (rule H6); it is reached on loopback or
// over a unix socket alone.
package monitor

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"parley/mailflow/courier"
)

// A Figure is one number as it is now.
type Figure struct {
	Name  string // "parley_deliveries_waiting"
	Help  string // what it counts, and its unit
	Value float64
}

// Server answers GET /metrics and GET /ready.
type Server struct {
	// Ready is nil while the gateway does its work, else why it does not; the
	// answer says no more than that sentence.
	Ready func() error
	// Figures are read anew each time.
	Figures func() ([]Figure, error)
	Log     *slog.Logger

	counts *Counts
	http   *http.Server
}

// Counts are what is counted as it happens. The zero one is not ready; use
// NewCounts.
type Counts struct {
	Received   *prometheus.CounterVec // by port, and kept or refused
	Deliveries *prometheus.CounterVec // attempts, by result
	Logins     *prometheus.CounterVec // by result
	Hops       *prometheus.CounterVec // attempts at each smarthost, by its number and result
	Up         *prometheus.GaugeVec   // 0 while a smarthost is left aside, by its number
}

// NewCounts begins at zero.
func NewCounts() *Counts {
	count := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "parley", Name: name, Help: help}, labels)
	}
	return &Counts{
		Received:   count("mails_received_total", "Mails whose text was taken, by port and answer.", "port", "answer"),
		Deliveries: count("delivery_attempts_total", "Attempts to hand a mail to the smarthost, by result.", "result"),
		Logins:     count("logins_total", "Logins tried, by result.", "result"),
		Hops:       count("smarthost_attempts_total", "Attempts to hand a mail to one smarthost, by its number in the configuration and result.", "smarthost", "result"),
		Up: prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: "parley", Name: "smarthost_up",
			Help: "0 while a smarthost failed and others are asked instead, by its number in the configuration."}, []string{"smarthost"}),
	}
}

// Heard counts what a smarthost said to a mail, and whether it is asked next time.
func (c *Counts) Heard(number int, r courier.Result, up bool) {
	name, is := strconv.Itoa(number), 0.0
	if up {
		is = 1
	}
	c.Hops.WithLabelValues(name, string(r.Outcome)).Inc()
	c.Up.WithLabelValues(name).Set(is)
}

// Take counts a mail whose text a port took, kept unless err.
func (c *Counts) Take(port string, err error) {
	answer := "kept"
	if err != nil {
		answer = "refused"
	}
	c.Received.WithLabelValues(port, answer).Inc()
}

const (
	headerTime = 5 * time.Second
	answerTime = 30 * time.Second
)

// New makes a server that listens nowhere yet.
func New(counts *Counts, ready func() error, figures func() ([]Figure, error), log *slog.Logger) *Server {
	s := &Server{Ready: ready, Figures: figures, Log: log, counts: counts}
	r := prometheus.NewRegistry()
	r.MustRegister(counts.Received, counts.Deliveries, counts.Logins, counts.Hops, counts.Up, s,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /ready", s.ready)
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: answerTime, MaxHeaderBytes: 8 << 10}
	return s
}

// Serve answers until Shutdown, and returns nil then.
func (s *Server) Serve(ln net.Listener) error {
	if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Shutdown lets answers under way come to their end.
func (s *Server) Shutdown(ctx context.Context) error { return s.http.Shutdown(ctx) }

func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	text := "ready\n"
	if err := s.Ready(); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		text = err.Error() + "\n"
	}
	_, _ = w.Write([]byte(text)) // who asked may be gone
}

// Describe names nothing ahead: the figures are what they are when asked.
func (s *Server) Describe(chan<- *prometheus.Desc) {}

// Collect reads the figures.
func (s *Server) Collect(out chan<- prometheus.Metric) {
	all, err := s.Figures()
	if err != nil {
		s.Log.Error("read figures for the monitoring system", "err", err)
	}
	ready := 1.0
	if s.Ready() != nil {
		ready = 0
	}
	all = append(all, Figure{"parley_ready", "1 while the gateway does its work.", ready})
	for _, f := range all {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(f.Name, f.Help, nil, nil), prometheus.GaugeValue, f.Value)
	}
}
