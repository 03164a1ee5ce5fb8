package main

import (
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	certificateSoon = 14 * 24 * time.Hour
	leastFree       = 1 << 30 // bytes
)

// examineFiles looks at what serve reads.
func (s *settings) examineFiles(now time.Time) []finding {
	var all []finding
	for _, w := range s.Warnings {
		all = append(all, finding{later, w.Error(), ""})
	}
	return append(all, s.examineUnlock(), s.examineTLS(now), s.examineState())
}

// examineUnlock complains until the credential lies on another disk than the store
// (rule H2).
func (s *settings) examineUnlock() finding {
	if s.Unlock.kind != fromFile {
		return finding{fine, "what unlocks the store comes from " + s.Unlock.String(), ""}
	}
	if same, err := sameDisk(s.Unlock.value, s.StateDir); err != nil || !same {
		return finding{fine, "what unlocks the store lies on another disk, in " + s.Unlock.value, ""}
	}
	return finding{later, fmt.Sprintf("%s lies on the disk of the store: whoever gets that disk, or a copy of it, reads everything", s.Unlock.value),
		`move it: unlock = "credential:parley" with systemd, or "prompt:"; keep a copy elsewhere`}
}

func (s *settings) examineTLS(now time.Time) finding {
	t, err := s.tls()
	if err != nil {
		return finding{wrong, err.Error(), "renew it, or name another in [tls]"}
	}
	leaf := t.now.Load().Leaf
	until := leaf.NotAfter.UTC().Format("Mon 2 Jan 2006")
	if leaf.NotAfter.Before(now.Add(certificateSoon)) {
		return finding{wrong, fmt.Sprintf("the TLS certificate %s expires on %s", s.CertFile, until), "renew it; a running gateway finds the new one by itself"}
	}
	for _, name := range []string{s.Domain, s.DeskDomain} {
		if leaf.VerifyHostname(name) != nil && leaf.VerifyHostname("mx."+name) != nil {
			return finding{later, fmt.Sprintf("the TLS certificate %s is for %s, and not for %s", s.CertFile, strings.Join(leaf.DNSNames, ", "), name), "get one for both domains"}
		}
	}
	if vouchesForItself(leaf) {
		return finding{later, fmt.Sprintf("the TLS certificate, until %s, is signed by itself: each mail client has to be told to trust it", until), "parley coordinator card prints its fingerprint; or get one from an authority"}
	}
	return finding{fine, "the TLS certificate is good until " + until, ""}
}

func vouchesForItself(c *x509.Certificate) bool {
	return c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

func (s *settings) examineState() finding {
	info, err := os.Stat(s.StateDir)
	if err != nil {
		return finding{wrong, "the state directory cannot be looked at: " + err.Error(), "parley init makes one"}
	}
	if perm := info.Mode().Perm(); perm&0o077 != 0 {
		return finding{wrong, fmt.Sprintf("the state directory %s is open to others (mode %04o)", s.StateDir, perm), "chmod 700 " + s.StateDir}
	}
	return s.examineRoom(freeBytes(s.StateDir))
}

// examineRoom judges what is free on the disk of the store.
func (s *settings) examineRoom(free uint64, err error) finding {
	reserve := uint64(s.Limits.Reserve)
	switch {
	case err != nil:
		return finding{later, "the free space of the disk cannot be read: " + err.Error(), ""}
	case free < reserve:
		return finding{wrong, fmt.Sprintf("the disk of the store has %d MiB left, less than its reserve of %s: mail is refused", free>>20, formatSize(s.Limits.Reserve)), "make room"}
	case free < leastFree+reserve && reserve > 0:
		return finding{wrong, fmt.Sprintf("the disk of the store has %d MiB left: mail is refused below its reserve of %s", free>>20, formatSize(s.Limits.Reserve)), "make room"}
	case free < leastFree:
		return finding{wrong, fmt.Sprintf("the disk of the store has %d MiB left: mail is refused when it is full", free>>20), "make room"}
	}
	return finding{fine, fmt.Sprintf("the state directory is ours alone, and its disk has %d GiB left", free>>30), ""}
}

// examineMachine looks at what could bring a secret to a disk, or break a date.
func examineMachine(*settings) []finding {
	return []finding{examineSwap("/proc/swaps"), examineClock()}
}

// examineSwap looks for swap space: memory that is written to it can be read there
// later (rule H4).
func examineSwap(path string) finding {
	data, err := os.ReadFile(filepath.Clean(path))
	if err != nil {
		return finding{later, "whether memory is swapped to a disk cannot be seen: " + pathless(err).Error(), ""}
	}
	if lines := strings.Split(strings.TrimSpace(string(data)), "\n"); len(lines) > 1 {
		return finding{later, fmt.Sprintf("this machine swaps (to %s): secrets in memory may come to that disk", strings.Fields(lines[1])[0]), "the unit in config/systemd keeps this service out of it (MemorySwapMax=0); or encrypt it"}
	}
	return finding{fine, "this machine does not swap", ""}
}
