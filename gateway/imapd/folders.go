package imapd

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"

	"parley/mailflow"
)

const delimiter = '/'

// List answers LIST and LSUB.
func (s *session) List(w *imapserver.ListWriter, ref string, patterns []string, options *imap.ListOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(patterns) == 0 { // RFC 9051 section 6.3.9: the delimiter is asked for
		return w.WriteList(&imap.ListData{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: delimiter})
	}
	all, err := s.seat.Folders()
	if err != nil {
		return s.answer(err)
	}
	for _, f := range all {
		if !slices.ContainsFunc(patterns, func(p string) bool { return matches(f.Name, ref+p) }) {
			continue
		}
		data, ok := listLine(f, all, options)
		if !ok {
			continue
		}
		if options.ReturnStatus != nil && !f.Container {
			if data.Status, err = s.status(f.Name, options.ReturnStatus); err != nil {
				continue // it went away meanwhile
			}
		}
		if err := w.WriteList(data); err != nil {
			return err
		}
	}
	return nil
}

// listLine is what LIST says of a folder, unless its selection leaves it out
// (RFC 5258, RFC 6154).
func listLine(f mailflow.Folder, all []mailflow.Folder, o *imap.ListOptions) (*imap.ListData, bool) {
	d := &imap.ListData{Delim: delimiter, Mailbox: f.Name}
	below := o.SelectRecursiveMatch && slices.ContainsFunc(all, func(c mailflow.Folder) bool {
		return c.Subscribed && strings.HasPrefix(c.Name, f.Name+string(delimiter))
	})
	switch {
	case o.SelectSubscribed && !f.Subscribed && !below, o.SelectSpecialUse && f.Attr == "", o.SelectRemote && !o.SelectSubscribed && !o.SelectSpecialUse:
		return nil, false
	}
	if below && !f.Subscribed {
		d.ChildInfo = &imap.ListDataChildInfo{Subscribed: true}
	}
	if f.Container {
		d.Attrs = append(d.Attrs, imap.MailboxAttrNoSelect)
	}
	child := imap.MailboxAttrHasNoChildren
	if f.Parent {
		child = imap.MailboxAttrHasChildren
	}
	d.Attrs = append(d.Attrs, child)
	if f.Subscribed && (o.SelectSubscribed || o.ReturnSubscribed) {
		d.Attrs = append(d.Attrs, imap.MailboxAttrSubscribed)
	}
	if f.Attr != "" {
		d.Attrs = append(d.Attrs, imap.MailboxAttr(f.Attr))
	}
	return d, true
}

// matches says whether a name fits a pattern: * stands for anything, % for
// anything within one level. It goes once over both, whatever the pattern.
func matches(name, pattern string) bool {
	if strings.EqualFold(pattern, "INBOX") {
		return name == "INBOX"
	}
	// reach[i] says that the pattern so far can end after i octets of the name.
	reach := make([]bool, len(name)+1)
	reach[0] = true
	for _, c := range []byte(pattern) {
		before := false // reach[i-1] as it was
		for i := range reach {
			was := reach[i]
			switch {
			case c == '*' || c == '%':
				reach[i] = was || i > 0 && reach[i-1] && (c == '*' || name[i-1] != delimiter)
			default:
				reach[i] = i > 0 && before && name[i-1] == c
			}
			before = was
		}
	}
	return reach[len(name)]
}

// Status answers STATUS.
func (s *session) Status(mailbox string, options *imap.StatusOptions) (*imap.StatusData, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, err := s.status(mailbox, options)
	return data, s.answer(err)
}

func (s *session) status(mailbox string, o *imap.StatusOptions) (*imap.StatusData, error) {
	st, err := s.seat.Status(mailbox, o.Size || o.DeletedStorage)
	if err != nil {
		return nil, err
	}
	var none uint32
	limit := s.AppendLimit()
	return &imap.StatusData{Mailbox: mailbox, NumMessages: &st.Messages, NumRecent: &none, UIDNext: imap.UID(st.UIDNext),
		UIDValidity: st.UIDValidity, NumUnseen: &st.Unseen, NumDeleted: &st.Deleted, Size: &st.Size, AppendLimit: &limit, DeletedStorage: &st.DeletedSize}, nil
}

// Namespace answers NAMESPACE: there is one.
func (s *session) Namespace() (*imap.NamespaceData, error) {
	return &imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Delim: delimiter}}}, nil
}

// Create answers CREATE.
func (s *session) Create(mailbox string, _ *imap.CreateOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer(s.seat.CreateFolder(mailbox))
}

// Delete answers DELETE.
func (s *session) Delete(mailbox string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer(s.seat.DeleteFolder(mailbox))
}

// Rename answers RENAME.
func (s *session) Rename(mailbox, newName string, _ *imap.RenameOptions) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer(s.seat.RenameFolder(mailbox, newName))
}

// Subscribe answers SUBSCRIBE.
func (s *session) Subscribe(mailbox string) error { return s.subscribe(mailbox, true) }

// Unsubscribe answers UNSUBSCRIBE.
func (s *session) Unsubscribe(mailbox string) error { return s.subscribe(mailbox, false) }

func (s *session) subscribe(mailbox string, on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.answer(s.seat.Subscribe(mailbox, on))
}
