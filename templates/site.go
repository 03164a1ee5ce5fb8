package templates

import (
	"bytes"
	"embed"
	"encoding/xml"
	"fmt"
	html "html/template"
	"io"
	"strings"
	"text/template"
	"time"
)

//go:embed site
var siteFiles embed.FS

// Site is what the static files for a web server say. It is public, all of it.
type Site struct {
	Name       string // "Example CERT"; the domain where our key has no name
	Domain     string // "vdp.example.org"
	Desk       string // the coordinators' domain and host
	Report     string // addresses
	ReportKey  string
	Postmaster string
	Plaintext  bool // reports are also taken in clear
	ReadWithin string
	Languages  string // "English and German"
	Made       time.Time

	Keys []SiteKey // the one that signs, then the next one, if there is one

	Embargo   string // "90 days"
	Stages    []SiteStage
	Reminders string // "3, 7 and 14 days", or empty

	LanguageTags []string  // RFC 5646
	Expires      time.Time // of security.txt

	IMAP        int // ports, implicit TLS
	Submission  int
	Identifier  string // of the profile for Apple's clients, "org.example.vdp.desk.parley"
	ProfileUUID string
	MailUUID    string
}

// SiteKey is one of our keys.
type SiteKey struct {
	ID          string // of its section and picture: "signing" or "next"
	Signing     bool   // it signs now
	Fingerprint string // without spaces
	Groups      []string
	UserIDs     []string
	Made        time.Time
	Expires     time.Time // zero: never
	From        time.Time // when the next one begins to sign
}

// SiteStage is one line of the policy.
type SiteStage struct{ Name, When, What, Needs string }

// Until is Expires as RFC 9116 section 2.5.5 wants it.
func (s Site) Until() string { return s.Expires.UTC().Format(time.RFC3339) }

// page is one page of the site, Root leads back to its top.
type page struct {
	Site
	Title, Page, Root string
}

// sitePages are the pages, each an index of its own folder, so that a web server
// needs no settings for their names.
var sitePages = []struct {
	file, path string
	page
}{
	{"index.html", "index.html", page{Title: "Report a security problem", Page: "report"}},
	{"key.html", "key/index.html", page{Title: "Our key", Page: "key", Root: "../"}},
	{"policy.html", "policy/index.html", page{Title: "How we disclose", Page: "policy", Root: "../"}},
}

// Pages are the files that people see, by path.
func (s Site) Pages() (map[string][]byte, error) {
	t, err := html.New("site").Option("missingkey=error").Funcs(html.FuncMap{"day": longDay, "date": isoDay}).ParseFS(siteFiles, "site/*.html")
	if err != nil {
		return nil, fmt.Errorf("read pages: %w", err)
	}
	out := map[string][]byte{}
	for _, p := range sitePages {
		p.Site = s
		if out[p.path], err = executed(func(w io.Writer) error { return t.ExecuteTemplate(w, p.file, p.page) }); err != nil {
			return nil, fmt.Errorf("write page %s: %w", p.path, err)
		}
	}
	for _, name := range []string{"site.css", "copy.js"} {
		if out[name], err = siteFiles.ReadFile("site/" + name); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// SecurityTxt is the file that RFC 9116 describes, not signed yet.
func (s Site) SecurityTxt() ([]byte, error) { return s.text("security.txt") }

// Autoconfig are the coordinators' servers as Thunderbird looks for them.
func (s Site) Autoconfig() ([]byte, error) { return s.text("autoconfig.xml") }

// Profile are the coordinators' servers for Apple's clients.
func (s Site) Profile() ([]byte, error) { return s.text("mobileconfig.xml") }

func (s Site) text(name string) ([]byte, error) {
	t, err := template.New(name).Option("missingkey=error").Funcs(template.FuncMap{"xml": inXML, "join": strings.Join}).ParseFS(siteFiles, "site/"+name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return executed(func(w io.Writer) error { return t.Execute(w, s) })
}

func executed(write func(io.Writer) error) ([]byte, error) {
	var b bytes.Buffer
	err := write(&b)
	return b.Bytes(), err
}

func inXML(s string) (string, error) {
	var b strings.Builder
	err := xml.EscapeText(&b, []byte(s))
	return b.String(), err
}

func longDay(t time.Time) string { return t.UTC().Format("2 January 2006") }

func isoDay(t time.Time) string { return t.UTC().Format(time.DateOnly) }
