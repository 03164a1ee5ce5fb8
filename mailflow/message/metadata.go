package message

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"slices"
)

// errPicture is a picture that is not built as its format says.
var errPicture = errors.New("the picture is not built as its format says")

var (
	pngMagic  = []byte("\x89PNG\r\n\x1a\n")
	jpegMagic = []byte("\xff\xd8\xff")
)

// WithoutMetadata gives a PNG or JPEG picture without what tells who made it,
// when, where and with what: the picture itself stays octet for octet. It says
// how many octets it left out. Any other file stays as it is.
//
// A picture that is not built as its format says is an error: it may be meant
// so, and is not to be touched.
func WithoutMetadata(data []byte) (bare []byte, left int, err error) {
	switch {
	case bytes.HasPrefix(data, pngMagic):
		bare, err = barePNG(data)
	case bytes.HasPrefix(data, jpegMagic):
		bare, err = bareJPEG(data)
	default:
		return data, 0, nil
	}
	if err != nil {
		return data, 0, err
	}
	if left = len(data) - len(bare); left == 0 {
		return data, 0, nil
	}
	return bare, left, nil
}

// pngChunks are what a PNG picture is shown by (W3C PNG, third edition, section
// 11): the critical chunks, transparency, colours, and the frames of an animation.
var pngChunks = []string{"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "cICP", "sBIT", "bKGD", "acTL", "fcTL", "fdAT"}

// barePNG keeps the chunks that show the picture. What follows its end goes.
func barePNG(data []byte) ([]byte, error) {
	out := slices.Clone(pngMagic)
	for rest := data[len(pngMagic):]; len(rest) >= 12; {
		n := uint64(binary.BigEndian.Uint32(rest)) + 12 // length, name and checksum stand around it
		if n > uint64(len(rest)) {
			return nil, errPicture
		}
		chunk := rest[:n]
		if crc32.ChecksumIEEE(chunk[4:n-4]) != binary.BigEndian.Uint32(chunk[n-4:]) {
			return nil, errPicture
		}
		name := string(chunk[4:8])
		if slices.Contains(pngChunks, name) {
			out = append(out, chunk...)
		}
		if name == "IEND" {
			return out, nil
		}
		rest = rest[n:]
	}
	return nil, errPicture
}

// Markers of JPEG (ITU-T T.81, table B.1).
const (
	jpegAPP0  = 0xe0
	jpegAPP14 = 0xee // Adobe's: by which colours it is
	jpegAPP15 = 0xef
	jpegCOM   = 0xfe
	jpegSOI   = 0xd8
	jpegEOI   = 0xd9
	jpegSOS   = 0xda
	jpegTEM   = 0x01
)

// bareJPEG keeps the segments that show the picture. Of those for applications
// it keeps JFIF's, without its thumbnail, and Adobe's; what follows its end goes.
func bareJPEG(data []byte) ([]byte, error) {
	out := slices.Clone(data[:2])
	for rest := data[2:]; ; {
		marker, body, after, err := jpegSegment(rest)
		if err != nil {
			return nil, err
		}
		if marker == jpegEOI {
			return append(out, 0xff, jpegEOI), nil
		}
		if kept := jpegKept(marker, body); kept != nil {
			out = append(out, 0xff, marker)
			out = binary.BigEndian.AppendUint16(out, uint16(len(kept)+2))
			out = append(out, kept...)
		}
		if marker == jpegSOS {
			n := jpegScan(after)
			out, after = append(out, after[:n]...), after[n:]
		}
		rest = after
	}
}

// jpegSegment takes a marker with its body off the front; the end has none.
func jpegSegment(data []byte) (marker byte, body, after []byte, err error) {
	if len(data) < 2 || data[0] != 0xff {
		return 0, nil, nil, errPicture
	}
	for len(data) > 2 && data[1] == 0xff { // filling
		data = data[1:]
	}
	marker, data = data[1], data[2:]
	switch {
	case marker == jpegEOI:
		return marker, nil, data, nil
	case marker <= jpegTEM || marker == 0xff || marker >= 0xd0 && marker <= jpegSOI || len(data) < 2:
		return 0, nil, nil, errPicture
	}
	n := int(binary.BigEndian.Uint16(data))
	if n < 2 || n > len(data) {
		return 0, nil, nil, errPicture
	}
	return marker, data[2:n], data[n:], nil
}

// jpegKept is what stays of a segment, or nil.
func jpegKept(marker byte, body []byte) []byte {
	const jfif = 14 // octets before its thumbnail
	switch {
	case marker == jpegAPP0 && len(body) >= jfif && bytes.HasPrefix(body, []byte("JFIF\x00")):
		return append(slices.Clone(body[:jfif-2]), 0, 0)
	case marker == jpegAPP14 && bytes.HasPrefix(body, []byte("Adobe")):
		return body
	case marker >= jpegAPP0 && marker <= jpegAPP15 || marker == jpegCOM:
		return nil
	}
	return body
}

// jpegScan is how long the coded data after a start of scan is: up to the next
// marker that is no restart (ITU-T T.81, section B.1.1.5).
func jpegScan(data []byte) int {
	for i := 0; i+1 < len(data); i++ {
		if next := data[i+1]; data[i] == 0xff && next != 0 && (next < 0xd0 || next > 0xd7) {
			return i
		}
	}
	return len(data)
}

// metadataFormats are files that commonly tell who made them, by how they begin.
var metadataFormats = []struct {
	name  string
	at    int
	magic string
}{
	{"PDF", 0, "%PDF-"}, {"office file", 0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"}, {"TIFF picture", 0, "II*\x00"}, {"TIFF picture", 0, "MM\x00*"},
	{"GIF picture", 0, "GIF8"}, {"WebP picture", 8, "WEBP"}, {"picture or film", 4, "ftyp"},
}

// MayTellMetadata names the format of a file that may tell who made it and that
// WithoutMetadata leaves as it is, or is "".
func MayTellMetadata(data []byte) string {
	for _, f := range metadataFormats {
		if len(data) >= f.at && bytes.HasPrefix(data[f.at:], []byte(f.magic)) {
			return f.name
		}
	}
	if bytes.HasPrefix(data, []byte("PK\x03\x04")) {
		for _, inside := range []string{"[Content_Types].xml", "mimetypeapplication/vnd.oasis."} {
			if bytes.Contains(data, []byte(inside)) {
				return "office file"
			}
		}
	}
	return ""
}
