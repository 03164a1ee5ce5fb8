package mailflow

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"mime"
	"net/mail"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/message"
	"parley/mailflow/store"
)

// letterGot is one mail that a person received, opened as far as it goes.
type letterGot struct {
	mailtest.Received
	*mailtest.Opened
	Outer mail.Header
	Clear bool // it came signed, not encrypted
}

// mails opens everything that came to an address; each must verify with our
// key, whether encrypted or not.
func (w *world) mails(p *mailtest.Person) []letterGot {
	w.t.Helper()
	var out []letterGot
	for _, m := range w.sink.To(p.Address) {
		out = append(out, w.opened(p, m))
	}
	return out
}

func (w *world) opened(p *mailtest.Person, m mailtest.Received) letterGot {
	w.t.Helper()
	outer, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		w.t.Fatal(err)
	}
	l := letterGot{Received: m, Outer: outer.Header}
	kind, _, _ := mime.ParseMediaType(outer.Header.Get("Content-Type"))
	if l.Clear = kind == "multipart/signed"; l.Clear {
		l.Opened, err = p.OpenSigned(m.Raw, w.ourKey())
	} else {
		l.Opened, err = p.Open(m.Raw, w.ourKey())
	}
	if err != nil {
		w.t.Fatalf("%s cannot open a mail: %v\n%s", p.Name, err, m.Raw)
	}
	if l.Signer != string(w.signer().Certificate().Fingerprint()) {
		w.t.Fatalf("a mail to %s is signed by %q", p.Name, l.Signer)
	}
	return l
}

// layers are all forms in which a mail's octets can be looked at: as they
// came, unfolded, decrypted, decoded, and the OpenPGP packets in base64.
func (l letterGot) layers() []string {
	out := []string{string(l.Raw), unfold(l.Raw), string(l.Inner), unfold(l.Inner), l.Subject, l.Text, l.From, l.To}
	for name, data := range l.Files {
		out = append(out, name, data, unfold([]byte(data)))
	}
	for _, text := range []string{string(l.Raw), string(l.Inner)} {
		out = append(out, packets(text)...)
	}
	for _, data := range l.Files {
		out = append(out, packets(data)...)
	}
	return out
}

var unfolder = strings.NewReplacer("\r\n ", "", "\r\n\t", "", "\n ", "", "=\r\n", "")

func unfold(b []byte) string { return unfolder.Replace(string(b)) }

var base64Block = regexp.MustCompile(`(?:[A-Za-z0-9+/]{40,}={0,2}\s*)+`)

// packets decodes every stretch of base64: armor, key data and attachments.
func packets(text string) []string {
	var out []string
	for _, block := range base64Block.FindAllString(unfold([]byte(text)), -1) {
		joined := strings.Join(strings.Fields(block), "")
		for cut := range 4 {
			if b, err := base64.StdEncoding.DecodeString(joined[:len(joined)-cut]); err == nil {
				out = append(out, string(b))
				break
			}
		}
	}
	return out
}

// find gives the first of the words that stands in any layer, in any case of
// ASCII letters.
func (l letterGot) find(words []string) string {
	small := make([]string, len(words))
	for i, word := range words {
		small[i] = lower(word)
	}
	for _, layer := range l.layers() {
		low := lower(layer)
		plain := ""
		if utf8.ValidString(layer) { // ciphertext holds any four letters once in some ten thousand mails
			plain = lower(withoutBase64(codeMark.ReplaceAllString(layer, " ")))
		}
		for i, word := range small {
			in := low
			if len(word) < 8 {
				in = plain // three or four letters stand in random base64, or a code, sooner or later
			}
			if word != "" && strings.Contains(in, word) {
				return words[i]
			}
		}
	}
	return ""
}

// withoutBase64 leaves out every line of keys, signatures or ciphertext, which is
// 20 letters of base64 or more, and the shorter line and the checksum that end an
// armor; what it encodes is a layer of its own where it can be read.
func withoutBase64(s string) string {
	var out strings.Builder
	from := 0        // of the run that goes on
	armored := false // whether a whole line of armor stands right before it
	for i := range len(s) + 1 {
		if i < len(s) && inBase64[s[i]] {
			continue
		}
		switch n := i - from; {
		case n >= 20 || armored:
			out.WriteByte(' ')
			armored = n >= 60 || armored
		default:
			out.WriteString(s[from:i])
		}
		if i < len(s) {
			out.WriteByte(s[i])
			armored = armored && (s[i] == '\r' || s[i] == '\n' || s[i] == '=' || s[i] == ' ' && i > 0 && s[i-1] == '\n')
		}
		from = i + 1
	}
	return out.String()
}

// inBase64 are the letters of base64 (RFC 4648, section 4), without the padding.
var inBase64 = func() (in [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") {
		in[c] = true
	}
	return in
}()

// readable is what a person sees of a mail; short words are looked for in it,
// since base64 holds them by chance.
func (l letterGot) readable() string {
	out := l.Subject + "\n" + l.Text
	for name, values := range l.Outer {
		if name != "Autocrypt" {
			out += "\n" + name + ": " + strings.Join(values, "\n")
		}
	}
	return out
}

// lower leaves octets that are no letters as they are.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}

// stages lists the stages that a person was told, in order, by the numbers in
// the inner Subjects. A reminder tells nothing new.
func (w *world) stages(name string) []string {
	w.t.Helper()
	var out []string
	for _, l := range w.mails(w.people[name]) {
		if m := stageMark.FindStringSubmatch(l.Subject); m != nil && !strings.Contains(l.Subject, "(reminder)") {
			out = append(out, m[1])
		}
	}
	return out
}

var stageMark = regexp.MustCompile(`\] \d/\d ([A-Z][a-z-]+)`)

// told wants a person to have been told exactly these stages so far.
func (w *world) told(name string, want ...string) {
	w.t.Helper()
	if got := w.stages(name); !slices.Equal(got, want) {
		w.t.Fatalf("%s was told %q, want %q", name, got, want)
	}
}

// notice is the newest notice of a stage that was not cancelled.
func (w *world) notice(id cvd.CaseID, party cvd.PartyID, s cvd.Stage) cvd.Notice {
	w.t.Helper()
	var found cvd.Notice
	w.view(func(tx *store.Tx) error {
		all, err := Notices(tx, id, party)
		for _, n := range all {
			if n.Kind == cvd.KindStage && n.Stage == s && n.State != cvd.Cancelled {
				found = n
			}
		}
		return err
	})
	return found
}

func (w *world) participant(id cvd.CaseID, party cvd.PartyID) cvd.Participant {
	w.t.Helper()
	var p cvd.Participant
	w.view(func(tx *store.Tx) (err error) {
		p, err = ParticipantByID(tx, id, party)
		return err
	})
	return p
}

func (w *world) theCase(id cvd.CaseID) cvd.Case {
	w.t.Helper()
	var c cvd.Case
	w.view(func(tx *store.Tx) (err error) {
		c, err = CaseByID(tx, id)
		return err
	})
	return c
}

// in gives commands about a case as the operator.
func (w *world) in(id cvd.CaseID, lines ...string) string {
	w.t.Helper()
	return w.do(append([]string{"case " + string(id)}, lines...)...)
}

// as gives commands as somebody and answers with the transcript, done or not.
func (w *world) as(by Actor, lines ...string) Transcript {
	w.t.Helper()
	t, err := w.desk.Do(context.Background(), by, lines)
	if err != nil {
		w.t.Fatal(err)
	}
	w.settle()
	return t
}

// refuses wants a command refused with these words.
func (w *world) refuses(by Actor, why string, lines ...string) {
	w.t.Helper()
	if t := w.as(by, lines...); t.Done() || !strings.Contains(unwrapped(t.String()), why) {
		w.t.Errorf("%q by %s: want it refused with %q, got\n%s", lines, by.Name, why, t)
	}
}

// coordinator puts somebody with an own key on the desk.
func (w *world) coordinator(name string) *mailtest.Person {
	w.t.Helper()
	p := w.person(name, name+"@"+w.DeskDomain)
	w.update(func(tx *store.Tx) error {
		return PutCoordinator(tx, Coordinator{Name: name, Address: p.Address, Key: p.PublicKey(), Added: tx.Now})
	})
	return p
}

// submits hands a coordinator's mail to the submission port. Signed ones are
// sealed to the gateway's key.
func (w *world) submits(name, to string, signed bool, subject, text string, files ...mailtest.File) {
	w.t.Helper()
	if err := w.trySubmit(name, to, signed, subject, text, files...); err != nil {
		w.t.Fatalf("%s to %s: %v", name, to, err)
	}
	w.settle()
}

func (w *world) trySubmit(name, to string, signed bool, subject, text string, files ...mailtest.File) error {
	w.t.Helper()
	p := w.people[name]
	raw := w.seal(p, to, signed, mailtest.Entity(subject, text, files...))
	return w.sub.Submit(context.Background(), Envelope{From: p.Address, To: []string{to}, Login: name, TLS: true}, bytes.NewReader(raw))
}

// control submits commands to control@.
func (w *world) control(name string, signed bool, lines ...string) {
	w.t.Helper()
	w.submits(name, "control@"+w.DeskDomain, signed, "commands", strings.Join(lines, "\n")+"\n")
}

// requests lists the open requests for approval of a stage.
func (w *world) requests(s cvd.Stage) []cvd.ApprovalRequest {
	w.t.Helper()
	var out []cvd.ApprovalRequest
	w.view(func(tx *store.Tx) error {
		all, err := collect(approvals.All(tx, nil), nil)
		for _, a := range all {
			if a.Open() && (a.Stage == s || s == "" && !isKit(a)) {
				out = append(out, a)
			}
		}
		return err
	})
	return out
}

// request is the one open request for a stage.
func (w *world) request(s cvd.Stage) cvd.ApprovalRequest {
	w.t.Helper()
	all := w.requests(s)
	if len(all) != 1 {
		w.t.Fatalf("%d requests for %s are open, want 1", len(all), s)
	}
	return all[0]
}

// served is what a mail client gets of a message, parsed.
func (w *world) served(m store.Message) *message.Part {
	w.t.Helper()
	raw, err := w.Store.Bytes(m.Served)
	if err != nil {
		w.t.Fatal(err)
	}
	p, err := message.Parse(raw, ownLimits(w.Limits))
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// counts how many Subjects of a folder hold a text.
func (w *world) countIn(folder, text string) int {
	w.t.Helper()
	n := 0
	for _, s := range w.subjects(folder) {
		if strings.Contains(s, text) {
			n++
		}
	}
	return n
}

// deliveryOf names the item of the delivery queue that carries a notice.
func (w *world) deliveryOf(n cvd.Notice) string {
	w.t.Helper()
	if n.Delivery == 0 {
		w.t.Fatalf("notice %d has no delivery", n.ID)
	}
	return fmt.Sprintf("D%d", n.Delivery)
}

// steps lets time pass in steps of any length.
func (w *world) steps(step, d time.Duration) {
	w.t.Helper()
	for ; d > 0; d -= step {
		w.clock.Advance(min(step, d))
		w.settle()
	}
}

// anyCode is a one-time code behind a case tag.
var anyCode = regexp.MustCompile(`PAR-\d+-\d+ .*?\b([0-9A-Z]{4}-[0-9A-Z]{4})\b`)

var dayWords = regexp.MustCompile(`(?s)(by\s+)?(Mon|Tue|Wed|Thu|Fri|Sat|Sun)\s+\d+\s+\w+\s+\d{4}`)

// withoutDay takes days out of a text, and how its lines are filled.
func withoutDay(s string) string {
	return strings.Join(strings.Fields(dayWords.ReplaceAllString(s, "DAY")), " ")
}
