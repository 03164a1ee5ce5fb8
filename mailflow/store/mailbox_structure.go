package store

import (
	"errors"
	"fmt"
	"maps"
	"mime"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"parley/mailflow/message"
)

// structures holds, by message, its structure as IMAP writes it, after a byte that says whether clients which take UTF-8 get
// another line. Messages stored before there was this table have none: their line is made when it is asked for.
var structures = WriteOnce[[]byte]("structures")

const (
	lineForAll   = 0
	lineForASCII = 1
)

func (tx *Tx) putStructure(m Message) error {
	row := AppendStructureLine([]byte{lineForAll}, m.Structure, false)
	if wide := AppendStructureLine(nil, m.Structure, true); string(wide) != string(row[1:]) {
		row[0] = lineForASCII
	}
	return structures.Put(tx, m.Scope, Seq(m.ID), row)
}

func (tx *Tx) moveStructure(id uint64, to Scope) error {
	if !structures.Has(tx, Seq(id)) {
		return nil
	}
	return reseal(tx, structures, to, Seq(id))
}

// AppendStructure appends the BODYSTRUCTURE of a message as AppendStructureLine does: ErrNotFound if there is no such message.
func (tx *Tx) AppendStructure(dst []byte, id uint64, wide bool) ([]byte, error) {
	key := Seq(id)
	if sealed := tx.find(structures.rows, key); sealed != nil {
		row, err := tx.unseal(place{structures.rows, key, 0}, sealed)
		if err == nil && len(row) == 0 {
			err = ErrTampered
		}
		if err != nil {
			return dst, fmt.Errorf("structure of message %d: %w", id, err)
		}
		if row[0] == lineForAll || !wide {
			return append(dst, row[1:]...), nil
		}
	}
	m, err := tx.Message(id)
	if err == nil && m.Structure == nil {
		err = errors.New("it has no structure")
	}
	if err != nil {
		return dst, err
	}
	return AppendStructureLine(dst, m.Structure, wide), nil
}

// AppendStructureLine writes a structure as IMAP does, in its extended form and with its parentheses (RFC 9051 section 7.5.2).
// What is not US-ASCII becomes encoded words, which clients know from file names; wide is for those that take UTF-8 in strings.
func AppendStructureLine(b []byte, s *message.Structure, wide bool) []byte {
	l := structureLine{b, wide}
	l.body(s)
	return l.b
}

type structureLine struct {
	b    []byte
	wide bool // the client takes UTF-8 in strings
}

func (l *structureLine) body(s *message.Structure) {
	l.b = append(l.b, '(')
	if s.Type == "multipart" {
		for _, c := range s.Children { // with no space between
			l.body(c)
		}
		l.b = append(l.b, ' ')
		l.word(s.Subtype)
		l.space(func() { l.params(s.Params) })
	} else {
		l.single(s)
	}
	l.space(func() { l.disposition(s) })
	l.space(func() { l.language(s.Language) })
	l.space(func() { l.b = appendNString(l.b, s.Location) })
	l.b = append(l.b, ')')
}

func (l *structureLine) space(item func()) {
	l.b = append(l.b, ' ')
	item()
}

// single is a part that is no multipart, with its MD5, which is not told.
func (l *structureLine) single(s *message.Structure) {
	l.word(s.Type)
	l.space(func() { l.word(s.Subtype) })
	l.space(func() { l.params(s.Params) })
	l.space(func() { l.b = appendNString(l.b, s.ID) })
	l.space(func() { l.text(s.Description, appendNString) })
	encoding := "7bit"
	if s.Encoding != "" {
		encoding = strings.ToLower(s.Encoding)
	}
	l.space(func() { l.word(encoding) })
	l.b = strconv.AppendUint(append(l.b, ' '), uint64(s.Size), 10)
	switch {
	case s.Envelope != nil && len(s.Children) == 1:
		l.b = append(append(l.b, ' '), EnvelopeLine(*s.Envelope)...)
		l.space(func() { l.body(s.Children[0]) })
		l.b = strconv.AppendInt(append(l.b, ' '), s.Lines, 10)
	case s.Type == "text":
		l.b = strconv.AppendInt(append(l.b, ' '), s.Lines, 10)
	}
	l.b = append(l.b, " NIL"...)
}

// word is a string that is never NIL.
func (l *structureLine) word(s string) { l.b = appendString(l.b, s) }

func appendString(b []byte, s string) []byte {
	if s == "" {
		return append(b, `""`...)
	}
	return appendNString(b, s)
}

// text is what people wrote.
func (l *structureLine) text(s string, write func([]byte, string) []byte) {
	switch {
	case l.wide && s != "" && len(s) <= 4096 && utf8.ValidString(s) && !strings.ContainsAny(s, "\x00\r\n"):
		l.b = appendQuoted(l.b, s)
		return
	case !l.wide:
		s = mime.QEncoding.Encode("utf-8", s)
	}
	l.b = write(l.b, s)
}

func (l *structureLine) params(p map[string]string) {
	if len(p) == 0 {
		l.b = append(l.b, "NIL"...)
		return
	}
	open := byte('(')
	for _, name := range slices.Sorted(maps.Keys(p)) {
		l.b = append(l.b, open)
		l.word(name)
		l.space(func() { l.text(p[name], appendString) })
		open = ' '
	}
	l.b = append(l.b, ')')
}

func (l *structureLine) disposition(s *message.Structure) {
	if s.Disposition == "" {
		l.b = append(l.b, "NIL"...)
		return
	}
	l.b = append(l.b, '(')
	l.word(s.Disposition)
	l.space(func() { l.params(s.DispositionParams) })
	l.b = append(l.b, ')')
}

func (l *structureLine) language(tags []string) {
	if len(tags) == 0 {
		l.b = append(l.b, "NIL"...)
		return
	}
	open := byte('(')
	for _, tag := range tags {
		l.b = append(l.b, open)
		l.word(tag)
		open = ' '
	}
	l.b = append(l.b, ')')
}
