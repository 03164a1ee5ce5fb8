package pgpmime_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"parley/keyring"
	"parley/keyring/pgpmime"
)

// smallWrites refuses what is not written in pieces.
type smallWrites struct {
	strings.Builder
	t *testing.T
}

func (p *smallWrites) Write(b []byte) (int, error) {
	if len(b) > 32<<10 {
		p.t.Errorf("%d bytes are written at once", len(b))
	}
	return p.Builder.Write(b)
}

// What is sealed as a stream opens to the entity and nothing but padding, wherever
// its pieces are cut.
func TestSealTo(t *testing.T) {
	t.Parallel()
	us, vendor := secret(t, "us@vdp.example.org"), secret(t, "psirt@acme.example")
	to := []*keyring.Certificate{vendor.Certificate()}
	for _, n := range []int{0, 3000, 4096, 16<<10 - 100, 16<<10 - 20, 16 << 10, 70_000, 300_000} {
		for name, entity := range map[string]string{
			"multipart":         multipart("mixed", textPart(strings.Repeat("y", n%60)+"\r\n"+lines(n)), textPart("b")),
			"no last line end":  strings.TrimSuffix(multipart("mixed", textPart(lines(n))), "\r\n"),
			"text":              "Subject: inner\r\n\r\n" + lines(n),
			"text without CRLF": "Subject: inner\r\n\r\n" + lines(n) + "x",
		} {
			w := &smallWrites{t: t}
			r := iotest.HalfReader(strings.NewReader(entity))
			if n == 3000 {
				r = iotest.OneByteReader(r)
			}
			if err := pgpmime.SealTo(w, r, int64(len(entity)), vendorOuter, to, us, noon); err != nil {
				t.Fatalf("%s of %d: %v", name, n, err)
			}
			o := as(t, vendor, us.Certificate(), w.String())
			if len(o.Payload)%4096 != 0 || len(o.Signatures) != 1 || o.Signatures[0].Err != nil {
				t.Errorf("%s of %d: payload of %d, %+v", name, n, len(o.Payload), o.Signatures)
			}
			if _, body, _ := strings.Cut(entity, "\r\n\r\n"); !bytes.Contains(o.Payload, []byte(body)) {
				t.Errorf("%s of %d: the body is changed", name, n)
			}
			if err := checkCRLF(o.Payload); err != "" {
				t.Errorf("%s of %d: %s", name, n, err)
			}
		}
	}
}

func lines(n int) string { return strings.Repeat(strings.Repeat("x", 62)+"\r\n", n/64) }

func checkCRLF(b []byte) string {
	if bytes.Count(b, []byte("\r\n")) != bytes.Count(b, []byte("\n")) || !bytes.HasSuffix(b, []byte("\r\n")) {
		return "lines do not end in CRLF"
	}
	return ""
}

// V5: a fault on the way is an error, wherever the pieces are cut.
func TestV5_SealToRefuses(t *testing.T) {
	t.Parallel()
	us, vendor := secret(t, "us@vdp.example.org"), secret(t, "psirt@acme.example")
	to := []*keyring.Certificate{vendor.Certificate()}
	good := multipart("mixed", textPart("a"))
	const text = "Subject: inner\r\n\r\n"
	for name, c := range map[string]struct {
		entity string
		size   int
	}{
		"shorter than said": {good, len(good) + 1},
		"longer than said":  {good, len(good) - 1},
		"no size":           {good, 0},
		"bare CR":           {text + "x\ry\r\n", 0},
		"bare LF":           {text + "x\ny\r\n", 0},
		"LF first":          {text + "\nx\r\n", 0},
		"two CR":            {text + "x\r\r\n", 0},
		"CR last":           {text + "x\r", 0},
		"bare CR in header": {"Subject: a\rb\r\n\r\nx\r\n", 0},
		"no end":            {strings.Replace(good, "--\r\n", "\r\n", 1), 0},
		"endless header":    {strings.Repeat("X: y\r\n", 60_000), 0},
		"endless line":      {"X: " + strings.Repeat("y", 300_000), 0},
	} {
		size := c.size
		if size == 0 && name != "no size" {
			size = len(c.entity)
		}
		for cut, reader := range map[string]func(io.Reader) io.Reader{"whole": func(r io.Reader) io.Reader { return r }, "by octets": iotest.OneByteReader} {
			err := pgpmime.SealTo(io.Discard, reader(strings.NewReader(c.entity)), int64(size), vendorOuter, to, us, noon)
			if err == nil {
				t.Errorf("%s, %s: sealed", name, cut)
			}
		}
	}
}

// The closing boundary is seen across the edges of pieces.
func TestSealToBoundaryAtEdges(t *testing.T) {
	t.Parallel()
	us, vendor := secret(t, "us@vdp.example.org"), secret(t, "psirt@acme.example")
	to := []*keyring.Certificate{vendor.Certificate()}
	for shift := range 40 {
		entity := multipart("mixed", textPart(strings.Repeat("x", 16<<10-200+7*shift)))
		if err := pgpmime.SealTo(io.Discard, strings.NewReader(entity), int64(len(entity)), vendorOuter, to, us, noon); err != nil {
			t.Errorf("shifted by %d: %v", 7*shift, err)
		}
	}
}
