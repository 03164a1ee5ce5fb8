package imapd

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"parley/mailflow"
)

// Copy answers COPY.
func (s *session) Copy(numSet imap.NumSet, dest string) (*imap.CopyData, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, err := s.window.Copy(s.server.ctx, s.positions(numSet), mailboxName(dest))
	if err != nil {
		return nil, s.tryCreate(mailboxName(dest), err)
	}
	return copied(c), nil
}

// Move answers MOVE. The library polls after it, and so tells the client what
// is gone.
func (s *session) Move(w *imapserver.MoveWriter, numSet imap.NumSet, dest string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readOnly {
		return readOnly()
	}
	c, err := s.window.Move(s.server.ctx, s.positions(numSet), mailboxName(dest))
	if err != nil {
		return s.tryCreate(mailboxName(dest), err)
	}
	if data := copied(c); data != nil {
		return w.WriteCopyData(data)
	}
	return nil
}

// copied is the COPYUID of a copy (RFC 4315), or nil where there is none to
// tell: an empty one is malformed, and since sets are written in ascending
// order, UIDs that did not arrive in the order in which they left cannot be
// told.
func copied(c mailflow.Copied) *imap.CopyData {
	ascending := slices.IsSorted(c.From) && slices.IsSorted(c.To) &&
		len(slices.Compact(slices.Clone(c.From))) == len(slices.Compact(slices.Clone(c.To)))
	if len(c.To) == 0 || !ascending {
		return nil
	}
	return &imap.CopyData{UIDValidity: c.UIDValidity, SourceUIDs: uidSet(c.From), DestUIDs: uidSet(c.To)}
}

// uidSet makes a set of ascending UIDs; an empty one is not nil.
func uidSet(uids []uint32) imap.UIDSet {
	set := imap.UIDSet{}
	for _, u := range uids {
		if n := len(set); n > 0 && set[n-1].Stop+1 == imap.UID(u) {
			set[n-1].Stop++
			continue
		}
		set = append(set, imap.UIDRange{Start: imap.UID(u), Stop: imap.UID(u)})
	}
	return set
}

func seqSet(at []int) imap.SeqSet {
	set := imap.SeqSet{}
	for _, i := range at {
		seq := uint32(i + 1)
		if n := len(set); n > 0 && set[n-1].Stop+1 == seq {
			set[n-1].Stop++
			continue
		}
		set = append(set, imap.SeqRange{Start: seq, Stop: seq})
	}
	return set
}

// Append answers APPEND.
func (s *session) Append(mailbox string, r imap.LiteralReader, options *imap.AppendOptions) (*imap.AppendData, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var raw bytes.Buffer // grows with what really comes, not with what was announced
	if _, err := io.Copy(&raw, r); err != nil {
		return nil, err
	}
	if int64(raw.Len()) != r.Size() {
		return nil, io.ErrUnexpectedEOF
	}
	marks, err := s.marks(options.Flags, true)
	if err != nil {
		return nil, s.answer(err)
	}
	validity, uid, err := s.seat.Append(s.server.ctx, mailboxName(mailbox), raw.Bytes(), marks, options.Time)
	if err != nil {
		return nil, s.tryCreate(mailboxName(mailbox), err)
	}
	if uid == 0 {
		return nil, nil
	}
	return &imap.AppendData{UID: imap.UID(uid), UIDValidity: validity}, nil
}

// mailboxName takes the delimiter off that some clients leave at the end.
func mailboxName(name string) string { return strings.TrimSuffix(name, string(delimiter)) }
