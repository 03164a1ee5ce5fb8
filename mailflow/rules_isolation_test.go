package mailflow

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"parley/keyring"
	"parley/mailflow/cvd"
	"parley/mailflow/mailtest"
	"parley/mailflow/store"
)

// The cast of the long story. Each name and word is long enough never to come
// about by chance in base64.
const (
	acme    = "acmewidgetworks"
	globex  = "globexindustries"
	initech = "initechsystems"
	title   = "Zzyzxoverflow in libquuxfrob"
)

// longStory lets a finder, a coordinator and three vendors do all that they
// can do, up to the end of the embargo: acme by signature and with two keys,
// globex by code, initech without a key.
type longStory struct {
	*world
	id     cvd.CaseID
	second *mailtest.Person // another member of acme
	idle   *mailtest.Person // whose key of acme is only claimed
}

func tellLongStory(t testing.TB, w *world) *longStory {
	t.Helper()
	s := &longStory{world: w}
	s.cast()
	s.opens()
	s.talks()
	s.moves()
	return s
}

func (s *longStory) cast() {
	s.coordinator("coordinatrixana")
	s.vendor(acme)
	s.vendor(globex)
	s.person(initech, "psirt@"+initech+".example")
	s.do("vendor add " + initech + " " + s.people[initech].Address)
	s.second = s.person("second", "second@"+acme+".example")
	s.do("member add " + acme + " " + s.second.Address)
	s.confirm(acme, s.second)
	s.idle = s.person("idle", "idle@"+acme+".example")
	f, err := keyring.ParseFingerprint(s.idle.Fingerprint())
	if err != nil {
		s.t.Fatal(err)
	}
	s.update(func(tx *store.Tx) error {
		return s.addKey(tx, acme, keyring.Pinned{Fingerprint: f, Trust: keyring.Claimed, Address: s.idle.Address, Cert: s.bytes(s.idle)})
	})
}

func (s *longStory) opens() {
	finder := s.person("finder", "joselyn.findling@hunterhome.example")
	finder.Name = "Joselyn Findling"
	s.arrives(finder.Address, reportTo, s.seal(finder, reportTo, true, mailtest.Entity(title, "findersownwords1: it overflows\n",
		mailtest.File{Name: "joselyns-notes.txt", Type: "text/plain", Data: "findersfile1"},
		mailtest.File{Name: "my-key.asc", Type: "application/pgp-keys", Data: string(finder.PublicKey())})))
	s.settle()
	out := s.do(`case open "` + title + `" policy fast report 1 severity high`)
	s.id = cvd.FindCaseIDs(out)[0]
	s.in(s.id, "invite "+acme+` wave 1 affects "Acmeproductline 9.1"`, "invite "+globex+` wave 1 affects "Globexproductline 3"`,
		"invite "+initech+" wave 1")
	for stage, text := range map[string]string{
		"scope": canary(cvd.Scope), "details": canary(cvd.Details), "public": canary(cvd.Public), "mitigation": canary(cvd.Mitigation),
		acme + ".details": "annexforacme1", globex + ".details": "annexforglobex1",
	} {
		s.submits("coordinatrixana", stage+"."+s.id.Lower()+"@"+s.DeskDomain, false, "material", text+"\n",
			mailtest.File{Name: "from-joselyn-" + stage + ".txt", Type: "text/plain", Data: "fileof" + strings.ReplaceAll(stage, ".", "") + "1"})
	}
	s.in(s.id, "start now")
	s.after(5 * time.Minute)
}

func (s *longStory) talks() {
	tag := string(s.id)
	s.answers(acme, s.id, true, "ACK\n\nacmesownletter1\n")
	s.answers(globex, s.id, false, "ACK "+tag+" "+s.code(globex)+"\n")
	s.answers(globex, s.id, true, "Dear desk,\n\nglobexsownletter1\n")
	s.submits("coordinatrixana", acme+"."+s.id.Lower()+"@"+s.DeskDomain, false, "your builds", "desktoacme1\n",
		mailtest.File{Name: "ana-private-name.txt", Type: "text/plain", Data: "desksfile1"})
	s.submits("coordinatrixana", "finder."+s.id.Lower()+"@"+s.DeskDomain, false, "Re: report", "desktofinder1\n")
	s.submits("coordinatrixana", "notes."+s.id.Lower()+"@"+s.DeskDomain, false, "a note", "desksownnote1\n")
	s.steps(2*time.Hour, cvd.Day)
	s.answers(acme, s.id, true, "ACCEPT "+tag+" v1\n")
	s.answers(acme, s.id, true, "STATUS "+tag+" affected acmeversions4.1\nPROPOSE 2027-02-01 acmesreason1\n")
	s.answers(globex, s.id, true, "ACCEPT "+tag+" v1\nSTATUS "+tag+" not-affected globexreason1\n")
	s.arrives(s.people[globex].Address, s.thread(s.id, globex), mailtest.Plain(s.people[globex].Address, s.thread(s.id, globex),
		"Re: in clear", "globexclearwords1", s.clock.Now()))
	s.steps(2*time.Hour, cvd.Day)
}

func (s *longStory) moves() {
	s.in(s.id, `embargo 2027-01-20T16:00Z because "acmesreason1"`)
	s.after(time.Hour)
	s.answers(acme, s.id, true, "ACCEPT "+string(s.id)+" v2\n")
	s.steps(12*time.Hour, 50*cvd.Day)
}

// secrets are what nobody but one of the cast may find in a mail.
func (s *longStory) secrets(of string) []string {
	var out []string
	for name, words := range map[string][]string{
		acme:     {acme, "acmeproductline", "annexforacme1", "fileofacme", "acmesownletter1", "desktoacme1", "desksfile1", "acmeversions4.1", "acmesreason1"},
		globex:   {globex, "globexproductline", "annexforglobex1", "fileofglobex", "globexsownletter1", "globexreason1", "globexclearwords1"},
		initech:  {initech},
		"finder": {"joselyn", "findling", "hunterhome", "findersownwords1", "findersfile1", "desktofinder1"},
		"desk":   {"coordinatrixana", s.DeskDomain, "desksownnote1", "ana-private-name", "zzyzxoverflow", "libquuxfrob"},
	} {
		if name == of || (of == "finder" && name == "desk") {
			continue // the finder named the case itself
		}
		out = append(out, words...)
		if name != "desk" {
			out = append(out, s.traces(name)...)
		}
	}
	if of == "finder" {
		out = append(out, "coordinatrixana", s.DeskDomain, "desksownnote1")
	}
	return out
}

// traces are the token, key IDs and Message-IDs of one of the cast, as text and
// as octets.
func (s *longStory) traces(name string) []string {
	p := s.people[name]
	out := []string{p.Fingerprint(), s.participant(s.id, cvd.PartyID(name)).Token}
	keys := []uint64{p.Entity.PrimaryKey.KeyId, p.Entity.Subkeys[0].PublicKey.KeyId}
	if name == acme {
		keys = append(keys, s.second.Entity.Subkeys[0].PublicKey.KeyId, s.idle.Entity.Subkeys[0].PublicKey.KeyId)
	}
	for _, k := range keys {
		id := fmt.Sprintf("%016X", k)
		raw, _ := hex.DecodeString(id) // it was just written
		out = append(out, id, string(raw))
	}
	for _, m := range s.mails(p) {
		out = append(out, strings.Trim(m.Outer.Get("Message-Id"), "<>"), strings.TrimPrefix(strings.Split(m.From, "@")[0], "bounce+"))
	}
	return out
}

// Nothing of another party stands in any octet that a party gets, decrypted or
// not.
func TestV2_Canaries(t *testing.T) {
	t.Parallel()
	s := theLongStory(t)
	for name, least := range map[string]int{acme: 8, globex: 6, initech: 1, "finder": 2} {
		mails := s.mails(s.people[name])
		if len(mails) < least {
			t.Errorf("%s got %d mails, which is too short a story", name, len(mails))
		}
		secrets := s.secrets(name)
		for _, m := range mails {
			if word := m.find(secrets); word != "" {
				t.Errorf("%q to %s holds %q:\n%s\n%s", m.Subject, name, word, m.Raw, m.Inner)
			}
		}
	}
	// The control: what is looked for is found where it belongs.
	for name, words := range map[string][]string{
		acme:   {"acmeproductline", "annexforacme1", "desktoacme1", "desksfile1", s.participant(s.id, acme).Token},
		globex: {"globexproductline", "annexforglobex1"},
	} {
		for _, word := range words {
			if !slices.ContainsFunc(s.mails(s.people[name]), func(m letterGot) bool { return m.find([]string{word}) != "" }) {
				t.Errorf("%s never got %q", name, word)
			}
		}
	}
}

// A stage holds nothing of a later one, and a heads-up nothing of any.
func TestV4_NothingOfALaterStage(t *testing.T) {
	t.Parallel()
	s := theLongStory(t)
	ranks := map[string]int{"Heads-up": 1, "Scope": 2, "Details": 3, "Public": 6}
	words := map[int][]string{2: {canary(cvd.Scope), "fileofscope1"}, 3: {canary(cvd.Details), "fileofdetails1", "annexforacme1", "fileofacme"},
		6: {canary(cvd.Public), "fileofpublic1"}}
	seen := 0
	for _, m := range s.mails(s.people[acme]) {
		mark := stageMark.FindStringSubmatch(m.Subject)
		if mark == nil {
			continue
		}
		seen++
		for rank, later := range words {
			if word := m.find(later); word != "" && rank > ranks[mark[1]] {
				t.Errorf("%s holds %q", mark[1], word)
			} else if word == "" && rank == ranks[mark[1]] {
				t.Errorf("%s lacks its own words", mark[1])
			}
		}
		for _, word := range []string{canary(cvd.Mitigation), "fileofmitigation1"} {
			if with := m.find([]string{word}) != ""; with != (mark[1] != "Heads-up") {
				t.Errorf("%s: %s %t", mark[1], word, with)
			}
		}
	}
	if seen != 4 {
		t.Errorf("acme was told %d stages", seen)
	}
}

// A heads-up names no component: what somebody wrote for it goes nowhere,
// words or files.
func TestV4_HeadsUpHasNoMaterial(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	for _, party := range []cvd.PartyID{"", "acme"} {
		w.update(func(tx *store.Tx) error {
			return w.putMaterial(tx, cvd.Material{Case: id, Stage: cvd.HeadsUp, Party: party, Author: "ana", Text: canary(cvd.HeadsUp),
				Files: []cvd.File{{Name: "heads-up-1.txt", MediaType: "text/plain", Data: []byte(canary(cvd.HeadsUp))}}})
		})
	}
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.told("acme", "Heads-up")
	if m := w.mails(w.people["acme"])[0]; m.find([]string{canary(cvd.HeadsUp), "heads-up-1"}) != "" || len(m.Files) != 2 {
		t.Errorf("the heads-up holds material, or the files %v", m.Files)
	}
}

// What a person wrote is copied and never executed, and what a header may not
// hold does not get into one.
func TestV4_ValuesAreNoTemplates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const hostile = "{{.Code}} {{template \"foot\" .}} %s %d {{.Us}}\nBcc: all@evil.example\n\nX-Evil: 1"
	id := w.caseWith("acme")
	w.material(id, cvd.Scope, hostile)
	w.in(id, `invite acme affects "{{.Material}} 9.1"`, "start now")
	for _, bad := range []string{"Player\u202e9.1", "Player\u200b9", "Play\x00er"} {
		w.refuses(theOperator, "affects", "case "+string(id), `invite acme affects "`+bad+`"`)
	}
	w.after(5 * time.Minute)
	w.answers("acme", id, true, "ACK\n")
	w.steps(6*time.Hour, cvd.Day)
	w.told("acme", "Heads-up", "Scope")
	mails := w.mails(w.people["acme"])
	last := mails[len(mails)-1]
	if !strings.Contains(last.Text, hostile) || !strings.Contains(last.Text, "{{.Material}} 9.1") {
		t.Errorf("it is not there as it was written:\n%s", last.Text)
	}
	for _, f := range append(innerFields(last), strings.Split(unfold(last.Raw[:bytes.Index(last.Raw, []byte("\r\n\r\n"))]), "\r\n")...) {
		if strings.HasPrefix(f, "Bcc") || strings.HasPrefix(f, "X-Evil") {
			t.Errorf("a header holds %q", f)
		}
	}
}

// One message, ciphertext, envelope, Message-ID, boundary and MIME tree for
// each party; encrypted to exactly its usable keys.
func TestV1_OneMessagePerParty(t *testing.T) {
	t.Parallel()
	s := theLongStory(t)
	keys := map[string][]uint64{
		acme:     {s.people[acme].Entity.Subkeys[0].PublicKey.KeyId, s.second.Entity.Subkeys[0].PublicKey.KeyId},
		globex:   {s.people[globex].Entity.Subkeys[0].PublicKey.KeyId},
		"finder": {s.people["finder"].Entity.Subkeys[0].PublicKey.KeyId},
	}
	once := map[string]string{} // what may stand in one mail only
	for name := range keys {
		for _, m := range s.mails(s.people[name]) {
			if m.Clear {
				continue
			}
			want := slices.Clone(keys[name])
			if name == acme && strings.Contains(m.Subject, "Public") { // the one stage for which a claimed key will do
				want = append(want, s.idle.Entity.Subkeys[0].PublicKey.KeyId)
			}
			slices.Sort(m.Keys)
			if slices.Sort(want); !slices.Equal(m.Keys, want) {
				t.Errorf("%q to %s is encrypted to %X, want %X", m.Subject, name, m.Keys, want)
			}
			if to, err := m.Outer.AddressList("To"); err != nil || len(to) != 1 || to[0].Address != m.To || m.To != s.people[name].Address {
				t.Errorf("To %q, envelope %s", m.Outer.Get("To"), m.To)
			}
			if from := s.ThreadAddress(s.participant(s.id, cvd.PartyID(name)).Token); m.Outer.Get("From") != from || m.Outer.Get("Reply-To") != from {
				t.Errorf("From %q, Reply-To %q, want %s", m.Outer.Get("From"), m.Outer.Get("Reply-To"), from)
			}
			for _, unique := range append(boundaries(m), m.From, m.Outer.Get("Message-Id")) {
				if before := once[unique]; before != "" {
					t.Errorf("%q stands in a mail to %s and in one to %s", unique, before, name)
				}
				once[unique] = name
			}
		}
	}
	for _, m := range s.sink.Mails() {
		if !regexp.MustCompile(`^bounce\+[a-z2-7]{20}@vdp\.example\.org$`).MatchString(m.From) {
			t.Errorf("reverse-path %q", m.From)
		}
	}
	if len(once) < 40 {
		t.Errorf("only %d marks were compared", len(once))
	}
}

var boundaryParam = regexp.MustCompile(`boundary="([^"]+)"`)

func boundaries(m letterGot) []string {
	var out []string
	for _, text := range []string{unfold(m.Raw), unfold(m.Inner)} {
		for _, b := range boundaryParam.FindAllStringSubmatch(text, -1) {
			out = append(out, b[1])
		}
	}
	return out
}

// The outer header has these fields and no other; its Subject is constant, its
// Date in UTC, and nothing tells of clients, hosts or builds.
func TestV3_OuterHeader(t *testing.T) {
	t.Parallel()
	s := theLongStory(t)
	fields := []string{"Autocrypt", "Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Reply-To", "Subject", "To"}
	for _, name := range []string{acme, globex, initech, "finder"} {
		for _, m := range s.mails(s.people[name]) {
			var got []string
			for f := range m.Outer {
				got = append(got, f)
			}
			got = slices.DeleteFunc(got, func(f string) bool { return f == "Auto-Submitted" }) // of automatic answers (RFC 3834)
			if slices.Sort(got); !slices.Equal(got, fields) {
				t.Errorf("%q to %s has the fields %q", m.Subject, name, got)
			}
			if subject := m.Outer.Get("Subject"); !m.Clear && subject != s.Subject {
				t.Errorf("outer Subject %q", subject)
			}
			if date := m.Outer.Get("Date"); !strings.HasSuffix(date, " +0000") {
				t.Errorf("Date %q", date)
			}
			if m.Hello != s.Domain {
				t.Errorf("EHLO %s", m.Hello)
			}
			if word := m.find(buildTraces(t)); word != "" {
				t.Errorf("%q to %s holds %q", m.Subject, name, word)
			}
			for _, line := range innerFields(m) {
				if bad := regexp.MustCompile(`(?i)^(bcc|cc|references|in-reply-to|autocrypt|list-|disposition-notification|return-receipt|x-|user-agent|received|sender)`); bad.MatchString(line) {
					t.Errorf("inner field %q", line)
				}
			}
		}
	}
}

// buildTraces are words that would tell what made a mail, and where.
func buildTraces(t *testing.T) []string {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	out := []string{"gopenpgp", "ProtonMail", "go-message", runtime.Version(), "User-Agent", "X-Mailer", "Version: G", "Comment:", "Autocrypt-Gossip", "localhost"}
	if len(host) > 5 {
		out = append(out, host)
	}
	return out
}

// innerFields are the lines of the decrypted header.
func innerFields(m letterGot) []string {
	head, _, _ := strings.Cut(string(m.Inner), "\r\n\r\n")
	return strings.Split(unfold([]byte(head)), "\r\n")
}

// Header protection (RFC 9788, and the draft before it): the root is marked
// both ways, and HP-Outer repeats what stands outside.
func TestV3_HeaderProtection(t *testing.T) {
	t.Parallel()
	s := theLongStory(t)
	ours := s.ourKey()
	for _, m := range s.mails(s.people[acme]) {
		if m.Clear {
			continue
		}
		fields := innerFields(m)
		value := func(name string) (out []string) {
			for _, f := range fields {
				if v, ok := strings.CutPrefix(f, name+": "); ok {
					out = append(out, v)
				}
			}
			return out
		}
		kind := strings.Join(value("Content-Type"), "")
		if !strings.Contains(kind, `protected-headers="v1"`) && !strings.Contains(kind, "protected-headers=v1") || !strings.Contains(kind, "hp=") || !strings.Contains(kind, "cipher") {
			t.Errorf("%q: the root is %q", m.Subject, kind)
		}
		var want []string
		names := []string{"From", "To", "Reply-To", "Subject", "Date", "Message-ID"}
		if m.Outer.Get("Auto-Submitted") != "" {
			names = append(names, "Auto-Submitted")
		}
		for _, name := range names {
			want = append(want, name+": "+m.Outer.Get(name))
			if inner := value(name); len(inner) != 1 || (name != "Subject" && inner[0] != m.Outer.Get(name)) {
				t.Errorf("inner %s %q, outer %q", name, inner, m.Outer.Get(name))
			}
		}
		if got := value("HP-Outer"); !slices.Equal(got, want) {
			t.Errorf("%q: HP-Outer %q, want %q", m.Subject, got, want)
		}
		if !strings.Contains(m.Subject, "["+string(s.id)+"]") || !strings.HasPrefix(m.Subject, "TLP:") {
			t.Errorf("inner Subject %q", m.Subject)
		}
		if a := m.Outer.Get("Autocrypt"); !strings.HasPrefix(a, "addr="+m.Outer.Get("From")+"; prefer-encrypt=mutual; keydata=") {
			t.Errorf("Autocrypt %q", a)
		}
		if got := m.Files["our-key.asc"]; strings.ReplaceAll(got, "\r\n", "\n") != string(ours) {
			t.Errorf("%q: our-key.asc is\n%s", m.Subject, got)
		}
		s.isCalendar(m)
	}
}

// isCalendar wants a neutral date in UTC, in lines of 75 octets.
func (s *longStory) isCalendar(m letterGot) {
	s.t.Helper()
	ics := m.Files["embargo.ics"]
	for _, want := range []string{"BEGIN:VCALENDAR\r\n", "METHOD:PUBLISH\r\n", "SUMMARY:Agreed date\r\n", "UID:" + s.participant(s.id, acme).Token} {
		if !strings.Contains(ics, want) {
			s.t.Errorf("%q: embargo.ics lacks %q:\n%s", m.Subject, want, ics)
		}
	}
	if !regexp.MustCompile(`DTSTART:\d{8}T\d{6}Z\r\n`).MatchString(ics) {
		s.t.Errorf("embargo.ics has no date in UTC:\n%s", ics)
	}
	for line := range strings.SplitSeq(ics, "\r\n") {
		if len(line) > 75 || strings.Contains(line, "\n") {
			s.t.Errorf("embargo.ics: line %q", line)
		}
	}
	if strings.Contains(ics, string(s.id)) || strings.Contains(ics, "ATTENDEE") || strings.Contains(ics, "ORGANIZER") {
		s.t.Errorf("embargo.ics tells too much:\n%s", ics)
	}
}

// The calendar follows the date that binds the vendor.
func TestCalendarFollowsTheDate(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.caseWith("acme")
	w.in(id, "start now")
	w.after(5 * time.Minute)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v1\n")
	w.in(id, `embargo 2027-02-20T16:00Z because "more time"`)
	w.after(5 * time.Minute)
	w.answers("acme", id, true, "ACCEPT "+string(id)+" v2\n")
	var dates []string
	for _, m := range w.mails(w.people["acme"]) {
		dates = append(dates, regexp.MustCompile(`DTSTART:(\d{8})`).FindStringSubmatch(m.Files["embargo.ics"])[1]+
			" "+regexp.MustCompile(`SEQUENCE:(\d+)`).FindStringSubmatch(m.Files["embargo.ics"])[1])
	}
	want := []string{"20261231 0", "20261231 0", "20261231 0", "20270220 1"} // heads-up, answer, embargo v2, answer
	if !slices.Equal(dates, want) {
		t.Errorf("dates and sequences %q, want %q", dates, want)
	}
}

// From outside, what one vendor gets is as long as what another gets, though
// their texts are not.
func TestV8_PaddedFromOutside(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	names := []string{"vendora", "vendorb", "vendorc"}
	id := w.caseWith(names...)
	for i, n := range names {
		w.update(func(tx *store.Tx) error {
			return w.putMaterial(tx, cvd.Material{Case: id, Stage: cvd.Scope, Party: cvd.PartyID(n), Author: "ana", Text: strings.Repeat("x", 1+i*150)})
		})
	}
	w.in(id, "start now")
	w.after(5 * time.Minute)
	for _, n := range names {
		w.answers(n, id, true, "ACK\n")
	}
	w.after(cvd.Day)
	var inner, outer []int
	for _, n := range names {
		w.told(n, "Heads-up", "Scope")
		m := w.mails(w.people[n])
		inner = append(inner, len(m[len(m)-1].Inner))
		outer = append(outer, len(m[len(m)-1].Raw))
	}
	if inner[0] != inner[1] || inner[1] != inner[2] || inner[0]%4096 != 0 {
		t.Errorf("payloads of %d octets", inner)
	}
	// The integers of keys and signatures may lack a leading zero.
	if slices.Max(outer)-slices.Min(outer) > 16 {
		t.Errorf("mails of %d octets", outer)
	}
}
