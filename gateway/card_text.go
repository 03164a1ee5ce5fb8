package main

import (
	"embed"
	"errors"
	"net/url"
	"regexp"
	"strings"
	"text/template"
)

//go:embed card/*.tmpl
var cardFiles embed.FS

// cardTemplates writes each client's part. A value goes into a file only by
// the quoting of that file's language.
var cardTemplates = template.Must(template.New("card").Option("missingkey=error").Funcs(template.FuncMap{
	"rc": quoteRC, "regexp": quotePattern, "userinfo": url.PathEscape, "quoted": quoteName, "config": quoteConfig, "buttons": cardButtons,
}).ParseFS(cardFiles, "card/*.tmpl"))

// cardClients is which part each client needs, in the order of a whole card.
var cardClients = []struct{ name, part string }{
	{"mutt", "mutt"}, {"neomutt", "mutt"}, {"aerc", "aerc"}, {"mbsync", "mbsync"}, {"thunderbird", "thunderbird"}, {"phone", "phone"},
}

// errNoClient is for a request of another version of the command line.
var errNoClient = errors.New("a card is for mutt, neomutt, aerc, mbsync, thunderbird or phone")

// text writes the card for one client, or for all.
func (c card) text(client string) (string, error) {
	parts := []string{"head"}
	for _, known := range cardClients {
		if (client == "" || client == known.name) && parts[len(parts)-1] != known.part {
			parts = append(parts, known.part)
		}
	}
	if len(parts) == 1 {
		return "", errNoClient
	}
	var b strings.Builder
	for _, part := range parts {
		if err := cardTemplates.ExecuteTemplate(&b, part+".tmpl", c); err != nil {
			return "", err
		}
	}
	return b.String(), nil
}

// button is a folder of Do/ with the keys that a card gives it.
type button struct{ Key, Folder, Does string }

func cardButtons() []button {
	return []button{
		{"n", "Do/New case", "open a case from this report"},
		{"a", "Do/Approve", "approve what this draft shows"},
		{"r", "Do/Reject", "refuse it"},
		{"h", "Do/Hold", "stop this vendor, or the case"},
		{"l", "Do/Release", "let it go on"},
		{"k", "Do/Acknowledge", "count this letter as an ACK"},
		{"s", "Do/Spam", "no report at all"},
	}
}

// quoteRC writes a value for a muttrc, in which $, ` and \ mean something
// between double quotes.
func quoteRC(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`, "`", "\\`").Replace(s) + `"`
}

// quotePattern writes an address for a muttrc's pattern between single quotes.
func quotePattern(s string) string { return strings.ReplaceAll(regexp.QuoteMeta(s), "'", ".") }

// quoteName writes a display name for an address (RFC 5322 section 3.2.4).
func quoteName(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// quoteConfig writes a value for mbsync's configuration, where only the quote
// itself has a meaning between quotes.
func quoteConfig(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
