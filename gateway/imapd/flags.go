package imapd

import (
	"strings"

	"github.com/emersion/go-imap/v2"

	"parley/mailflow/store"
)

// systemFlags are the flags that are no keywords, with their marks.
var systemFlags = [...]struct {
	flag imap.Flag
	mark store.Marks
}{
	{imap.FlagSeen, store.MarkSeen}, {imap.FlagAnswered, store.MarkAnswered}, {imap.FlagFlagged, store.MarkFlagged},
	{imap.FlagDeleted, store.MarkDeleted}, {imap.FlagDraft, store.MarkDraft},
}

// keywordBytes is the longest keyword.
const keywordBytes = 64

// flagNames knows how the marks of one coordinator are written.
type flagNames struct {
	keywords []string
	written  map[store.Marks]string
}

func (s *session) flagNames() (*flagNames, error) {
	names, err := s.seat.Keywords()
	return &flagNames{names, map[store.Marks]string{}}, err
}

func (f *flagNames) list(m store.Marks) []imap.Flag {
	flags := []imap.Flag{}
	for _, s := range systemFlags {
		if m&s.mark != 0 {
			flags = append(flags, s.flag)
		}
	}
	for i, k := range f.keywords {
		if m&store.KeywordMark(i) != 0 {
			flags = append(flags, imap.Flag(k))
		}
	}
	return flags
}

// text is the list as it stands in a response, "(\Seen $Forwarded)".
func (f *flagNames) text(m store.Marks) string {
	t, ok := f.written[m]
	if !ok {
		var names []string
		for _, flag := range f.list(m) {
			names = append(names, string(flag))
		}
		t = "(" + strings.Join(names, " ") + ")"
		f.written[m] = t
	}
	return t
}

func (f *flagNames) all() []imap.Flag {
	return f.list(^store.Marks(0))
}

// mark finds the mark of a flag; 0 for a flag that nobody uses here.
func (f *flagNames) mark(flag imap.Flag) store.Marks {
	for _, s := range systemFlags {
		if strings.EqualFold(string(s.flag), string(flag)) {
			return s.mark
		}
	}
	for i, k := range f.keywords {
		if strings.EqualFold(k, string(flag)) {
			return store.KeywordMark(i)
		}
	}
	return 0
}

// marks finds the marks of flags. Keywords that are new are made where make is
// set, else they are left out, as are system flags that nobody can set.
func (s *session) marks(flags []imap.Flag, make bool) (m store.Marks, err error) {
	names, err := s.flagNames()
	if err != nil {
		return 0, err
	}
	for _, flag := range flags {
		k := names.mark(flag)
		if k == 0 && make && !strings.HasPrefix(string(flag), `\`) {
			if len(flag) > keywordBytes {
				return 0, no(imap.ResponseCodeLimit, "Nothing was changed: a keyword has at most 64 octets")
			}
			if k, err = s.seat.Keyword(string(flag)); err != nil {
				return 0, err
			}
		}
		m |= k
	}
	return m, nil
}
