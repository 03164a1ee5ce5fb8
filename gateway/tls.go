package main

import (
	"crypto/tls"
	"fmt"
	"os"
	"time"
)

// tls reads the certificate and key. A key that everybody may read is refused;
// a group may, since that is how systems share one (rule H5).
func (s *settings) tls() (*tls.Config, error) {
	info, err := os.Stat(s.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read TLS key %s: %w", s.KeyFile, pathless(err))
	}
	if perm := info.Mode().Perm(); perm&0o007 != 0 {
		return nil, fmt.Errorf("read TLS key %s: it is open to others (mode %04o): chmod 600 it", s.KeyFile, perm)
	}
	pair, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read TLS certificate %s and key %s: %w", s.CertFile, s.KeyFile, pathless(err))
	}
	if now := time.Now(); now.After(pair.Leaf.NotAfter) {
		return nil, fmt.Errorf("read TLS certificate %s: it expired on %s", s.CertFile, pair.Leaf.NotAfter.UTC().Format(time.DateOnly))
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}
