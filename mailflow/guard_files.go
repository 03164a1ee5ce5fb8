package mailflow

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"io"
	"slices"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// fileSum is the SHA-256 of a file that is no text. A text is compared by its
// words.
type fileSum [sha256.Size]byte

// print is under what a file is remembered among the grams.
func (s fileSum) print() uint32 { return binary.BigEndian.Uint32(s[:]) }

// sentFile is a file of what is to leave that somebody sent before.
type sentFile struct {
	name string
	sum  fileSum
	by   store.Message
}

// sumOf digests the file that a part is, if it is one of which the guard can say
// only that it is the same: no text, and not what a mail client adds to each mail.
func sumOf(p *message.Part) (fileSum, bool) {
	if len(p.Children) > 0 || strings.HasPrefix(p.MediaType, "application/pgp-") || strings.HasPrefix(p.MediaType, "text/") {
		return fileSum{}, false
	}
	data, err := p.Body()
	if err != nil || len(data) < runeRun {
		return fileSum{}, false
	}
	return sha256.Sum256(data), true
}

// sumsWithin digests a file and what is packed in it.
func sumsWithin(f cvd.File) []fileSum {
	var out []fileSum
	add := func(data []byte) {
		if len(data) >= runeRun {
			out = append(out, sha256.Sum256(data))
		}
	}
	add(f.Data)
	packed, _ := filesOfZip(f.Data)
	for _, p := range packed {
		add(p.Data)
	}
	if f.MediaType == "message/rfc822" || f.MediaType == "message/global" {
		if root, err := message.Parse(f.Data, message.DefaultLimits()); err == nil {
			root.Walk(func(p *message.Part) bool {
				if sum, ok := sumOf(p); ok {
					out = append(out, sum)
				}
				return true
			})
		}
	}
	return out
}

const (
	zipFiles = 1000     // files of an archive that are looked into
	zipBytes = 64 << 20 // octets of them together (rule P4)
)

// filesOfZip gives the files of a ZIP archive, which word processors' files are,
// too. It is false where not all could be read: locked, too many, too large.
func filesOfZip(data []byte) ([]cvd.File, bool) {
	if !bytes.HasPrefix(data, []byte("PK\x03\x04")) {
		return nil, true
	}
	r, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, true // it only begins like one
	}
	var out []cvd.File
	room := int64(zipBytes)
	for _, f := range r.File {
		if f.FileInfo().IsDir() {
			continue
		}
		body, err := unzip(f, room)
		if room -= int64(len(body)); err != nil || room <= 0 || len(out) == zipFiles {
			return out, false
		}
		out = append(out, cvd.File{Name: f.Name, Data: body})
	}
	return out, true
}

func unzip(f *zip.File, room int64) ([]byte, error) {
	if f.Flags&1 != 0 {
		return nil, zip.ErrAlgorithm // locked with a password
	}
	body, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer body.Close()
	return io.ReadAll(io.LimitReader(body, room))
}

// having lists the messages that may hold a file.
func (g *Guard) having(sum fileSum) []uint32 {
	g.mu.RLock()
	defer g.mu.RUnlock()
	var out []uint32
	if g.slots == nil {
		return nil
	}
	for i := g.home(sum.print()); g.slots[i] != 0; i = (i + 1) & (len(g.slots) - 1) {
		if at := g.slots[i]; uint32(at>>32) == sum.print() {
			out = append(out, uint32(at))
		}
	}
	return out
}

// findSent finds files that other people sent, but for what the desk had sent
// them first.
func (b *Base) findSent(tx *store.Tx, q question, e *examined) error {
	for _, f := range q.files {
		for _, sum := range sumsWithin(f) {
			for _, id := range slices.Sorted(slices.Values(e.guard.having(sum))) {
				m, words, err := b.readForGuard(tx, id)
				if err != nil {
					return err
				}
				if words == nil || !q.at.IsZero() && m.At.After(q.at) || !slices.Contains(words.files, sum) {
					continue
				}
				first, err := b.deskFirst(tx, e, m)
				if err != nil {
					return err
				}
				ours, err := b.standsIn(tx, sum, first)
				if err != nil {
					return err
				}
				if !ours {
					e.sent = append(e.sent, sentFile{f.Name, sum, m})
				}
			}
		}
	}
	return nil
}

// standsIn says whether one of these messages holds a file.
func (b *Base) standsIn(tx *store.Tx, sum fileSum, messages []uint32) (bool, error) {
	for _, id := range messages {
		_, words, err := b.readForGuard(tx, id)
		if err != nil {
			return false, err
		}
		if words != nil && slices.Contains(words.files, sum) {
			return true, nil
		}
	}
	return false, nil
}

// sentByOthers are the files that others sent and that a participant has not
// got, each once.
func (b *Base) sentByOthers(tx *store.Tx, e *examined, who cvd.Participant) ([]Crossing, error) {
	var out []Crossing
	for _, f := range e.sent {
		theirs, err := b.wroteIt(tx, f.by, who)
		if err != nil {
			return nil, err
		}
		c := Crossing{Kind: crossSent, Piece: f.name, Party: cvd.PartyID(f.by.Party), Case: caseOfMessage(f.by), At: f.by.At}
		if theirs || slices.Contains(out, c) || len(out) == mostCrossings {
			continue
		}
		before, err := known(tx, e.guard, who)
		if err != nil {
			return nil, err
		}
		if had, err := b.standsIn(tx, f.sum, before); err != nil || had {
			if err != nil {
				return nil, err
			}
			continue
		}
		out = append(out, c)
	}
	return out, nil
}
