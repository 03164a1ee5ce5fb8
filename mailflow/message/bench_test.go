package message

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// bigMail is a letter with one file of about so many octets.
func bigMail(size int) []byte {
	line := strings.Repeat("QUJD", 19) + "\r\n"
	return []byte("From: a@b.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nletter\r\n--b\r\n" +
		"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat(line, size/len(line)) + "--b--\r\n")
}

// deepAndWide has 1,000 parts, most of them 20 levels down.
func deepAndWide() []byte {
	var b bytes.Buffer
	b.WriteString("From: a@b.example\r\n")
	for i := range 20 {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	b.WriteString("\r\nx\r\n")
	b.WriteString(strings.Repeat("--b19\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nx\r\n", 980))
	return b.Bytes()
}

func BenchmarkParse(b *testing.B) {
	boundaries := append([]byte("From: a@b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"), bytes.Repeat([]byte("--\n"), 1<<20)...)
	for _, bm := range []struct {
		name string
		raw  []byte
	}{
		{"4kB", bigMail(4 << 10)}, {"49MiB", bigMail(49 << 20)}, {"1000Parts20Deep", deepAndWide()},
		{"AlmostBoundaries", boundaries}, {"Header256KiB", longHeader(256 << 10)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.SetBytes(int64(len(bm.raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(bm.raw, Limits{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkStructure(b *testing.B) {
	p := parse(b, deepAndWide())
	for b.Loop() {
		p.Structure()
	}
}

func BenchmarkBody(b *testing.B) {
	p := parse(b, bigMail(20<<20)).Children[1]
	b.SetBytes(int64(len(p.RawBody())))
	for b.Loop() {
		if _, err := p.Body(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPresent(b *testing.B) {
	for _, size := range []int{4 << 10, 20 << 20} {
		p := parse(b, bigMail(size))
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Present(p, []Field{{"Subject", "x"}}, "note", nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
