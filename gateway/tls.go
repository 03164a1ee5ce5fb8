package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// tlsLook is how often the files of the certificate are looked at.
const tlsLook = time.Minute

// tlsFiles are a certificate and its key, read again when they change: who renews
// them need not restart us.
type tlsFiles struct {
	cert, key string
	now       atomic.Pointer[tls.Certificate]

	mu   sync.Mutex
	seen [2]fs.FileInfo // when now was read
}

// tls reads the certificate and key. A key that everybody may read is refused;
// a group may, since that is how systems share one (rule H5).
func (s *settings) tls() (*tlsFiles, error) {
	t := &tlsFiles{cert: s.CertFile, key: s.KeyFile}
	return t, t.read()
}

// config serves what was read last.
func (t *tlsFiles) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
		return t.now.Load(), nil
	}}
}

func (t *tlsFiles) read() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen, err := t.stat()
	if err != nil {
		return err
	}
	if perm := seen[1].Mode().Perm(); perm&0o007 != 0 {
		return fmt.Errorf("read TLS key %s: it is open to others (mode %04o): chmod 600 it", t.key, perm)
	}
	pair, err := tls.LoadX509KeyPair(t.cert, t.key)
	if err != nil {
		return fmt.Errorf("read TLS certificate %s and key %s: %w", t.cert, t.key, pathless(err))
	}
	if now := time.Now(); now.After(pair.Leaf.NotAfter) {
		return fmt.Errorf("read TLS certificate %s: it expired on %s", t.cert, pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	t.now.Store(&pair)
	t.seen = seen
	return nil
}

func (t *tlsFiles) stat() (seen [2]fs.FileInfo, err error) {
	for i, path := range []string{t.cert, t.key} {
		if seen[i], err = os.Stat(path); err != nil {
			return seen, fmt.Errorf("read TLS %s %s: %w", [2]string{"certificate", "key"}[i], path, pathless(err))
		}
	}
	return seen, nil
}

// changed says that other files stand there than those that were read.
func (t *tlsFiles) changed() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen, err := t.stat()
	if err != nil {
		return true // reading them says what is wrong
	}
	for i, f := range seen {
		if was := t.seen[i]; !os.SameFile(f, was) || !f.ModTime().Equal(was.ModTime()) || f.Size() != was.Size() {
			return true
		}
	}
	return false
}

// keep reads the files again whenever they changed, until ctx ends. Where they
// cannot be read, as in the middle of a renewal, what was read before goes on.
func (t *tlsFiles) keep(ctx context.Context, log *slog.Logger) error {
	tick := time.NewTicker(tlsLook)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !t.changed() {
			continue
		}
		if err := t.read(); err != nil {
			log.Error("the TLS certificate changed and cannot be read; the one before goes on", "err", err)
			continue
		}
		log.Info("read the new TLS certificate", "until", t.now.Load().Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
}
