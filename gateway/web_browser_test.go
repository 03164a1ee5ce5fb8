package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// strict is what a careful operator's web server sends along.
const strict = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// pressed is a page of a test: it presses the button and waits for what that
// says.
const pressed = `
addEventListener("load", () => document.querySelector("button.copy").click());
`

// browsed serves a site as a strict web server does, with a page beside it that
// presses the button, and once more below /still/, where no script may run.
func browsed(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "site")
	if _, err := writeSite(dir, files); err != nil {
		t.Fatal(err)
	}
	site := http.FileServer(http.Dir(dir))
	still := http.StripPrefix("/still", site)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/still/") {
			w.Header().Set("Content-Security-Policy", strings.Replace(strict, "script-src 'self'", "script-src 'none'", 1))
			still.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Security-Policy", strict)
		switch r.URL.Path {
		case "/press.js":
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = fmt.Fprint(w, pressed)
		case "/press/":
			page := strings.Replace(string(files["key/index.html"]), "</main>", `<script src="../press.js"></script></main>`, 1)
			_, _ = fmt.Fprint(w, page)
		default:
			site.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL
}

// chromium gives the document of a page once its scripts have run, and what the
// browser complained about.
func chromium(t *testing.T, url string, options ...string) (dom, complaints string) {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("needs chromium (Debian package chromium)")
	}
	args := append([]string{"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
		"--disable-component-update", "--disable-sync", "--user-data-dir=" + t.TempDir(), "--enable-logging=stderr", "--dump-dom"}, options...)
	cmd := exec.CommandContext(t.Context(), path, append(args, url)...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("chromium: %v\n%s", err, &errs)
	}
	for line := range strings.Lines(errs.String()) {
		if strings.Contains(line, "CONSOLE") {
			complaints += line
		}
	}
	return out.String(), complaints
}

var (
	copyButton = regexp.MustCompile(`<button [^>]*class="copy"[^>]* value="([0-9A-F]+)"`)
	status     = regexp.MustCompile(`<span class="said" role="status">([^<]*)</span>`)
)

// A real browser shows a copy button with the fingerprint where scripts run, and
// everything else also where they do not, under a strict content security policy.
func TestWebInABrowser(t *testing.T) {
	t.Parallel()
	d := benchGateway(t)
	key := d.exported(t)[0].Fingerprint()
	at := browsed(t, d.website(t).Files)
	dom, complaints := chromium(t, at+"/key/")
	if m := copyButton.FindStringSubmatch(dom); m == nil || m[1] != string(key) || complaints != "" {
		t.Errorf("with scripts the button is %q; %s", m, complaints)
	}
	if dom, _ := chromium(t, at+"/press/", "--virtual-time-budget=5000"); !strings.Contains(strings.Join(status.FindStringSubmatch(dom), " "), "opied") {
		t.Errorf("pressed, it says %q", status.FindString(dom))
	}
	dom, _ = chromium(t, at+"/still/key/")
	if strings.Contains(dom, "<button") || !strings.Contains(dom, "<span>"+string(key)[:4]+"</span>") || !strings.Contains(dom, "Download the key") {
		t.Errorf("without scripts:\n%s", dom)
	}
	for _, page := range []string{"/", "/policy/"} {
		if _, complaints := chromium(t, at+page); complaints != "" {
			t.Errorf("%s: %s", page, complaints)
		}
	}
}
