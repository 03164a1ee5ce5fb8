package message

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"slices"
	"testing"
)

// testPicture is a small picture with many colours.
func testPicture() image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 40, 30))
	for x := range 40 {
		for y := range 30 {
			m.Set(x, y, color.RGBA{uint8(x * 6), uint8(y * 8), uint8(x * y), 255})
		}
	}
	return m
}

func chunk(name, body string) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	out = append(out, name+body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE([]byte(name+body)))
}

func segment(marker byte, body string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(body)+2)), body...)
}

func plainPictures(t *testing.T) (p, j []byte) {
	t.Helper()
	var a, b bytes.Buffer
	if err := png.Encode(&a, testPicture()); err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(&b, testPicture(), nil); err != nil {
		t.Fatal(err)
	}
	return a.Bytes(), b.Bytes()
}

const canary = "canarymaker1"

// What a picture tells of its maker goes, wherever it stands; the picture is the
// same octet for octet.
func TestV7_WithoutMetadata(t *testing.T) {
	t.Parallel()
	p, j := plainPictures(t)
	ihdr := len(pngMagic) + 25
	jfif := segment(0xe0, "JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x01\x01abc") // with a thumbnail of one dot
	bareJFIF := segment(0xe0, "JFIF\x00\x01\x02\x00\x00\x01\x00\x01\x00\x00")
	adobe := segment(0xee, "Adobe\x00\x64\x00\x00\x00\x00\x01")
	eoi := len(j) - 2
	rows := map[string]struct{ data, want []byte }{
		"PNG":                  {p, p},
		"PNG, text":            {slices.Insert(slices.Clone(p), ihdr, slices.Concat(chunk("tEXt", "Author\x00"+canary), chunk("eXIf", "MM\x00*"+canary), chunk("tIME", canary), chunk("xxXx", canary))...), p},
		"PNG, after its end":   {append(slices.Clone(p), canary...), p},
		"PNG, its gamma stays": {slices.Insert(slices.Clone(p), ihdr, slices.Concat(chunk("gAMA", "\x00\x00\xb1\x8f"), chunk("iTXt", canary))...), slices.Insert(slices.Clone(p), ihdr, chunk("gAMA", "\x00\x00\xb1\x8f")...)},
		"JPEG":                 {j, j},
		"JPEG, Exif":           {slices.Insert(slices.Clone(j), 2, slices.Concat(segment(0xe1, "Exif\x00\x00"+canary), segment(0xe2, "ICC_PROFILE\x00"+canary), segment(0xed, "Photoshop 3.0\x00"+canary), segment(0xfe, canary))...), j},
		"JPEG, JFIF and Adobe": {slices.Insert(slices.Clone(j), 2, slices.Concat(jfif, []byte{0xff}, adobe)...), slices.Insert(slices.Clone(j), 2, slices.Concat(bareJFIF, adobe)...)},
		"JPEG, after a scan":   {slices.Insert(slices.Clone(j), eoi, segment(0xfe, canary)...), j},
		"JPEG, after its end":  {append(slices.Clone(j), canary...), j},
		"no picture":           {[]byte(canary), []byte(canary)},
		"nothing":              {nil, nil},
	}
	for name, row := range rows {
		got, left, err := WithoutMetadata(row.data)
		if err != nil || !bytes.Equal(got, row.want) || left != len(row.data)-len(row.want) {
			t.Errorf("%s: %d octets and not %d, %d left out, %v", name, len(got), len(row.want), left, err)
		}
		if bytes.HasPrefix(row.data, []byte("\x89PNG")) || bytes.HasPrefix(row.data, []byte("\xff\xd8")) {
			a, _, err1 := image.Decode(bytes.NewReader(row.data))
			b, _, err2 := image.Decode(bytes.NewReader(got))
			if err1 != nil || err2 != nil || !samePicture(a, b) {
				t.Errorf("%s shows something else: %v, %v", name, err1, err2)
			}
		}
	}
}

func samePicture(a, b image.Image) bool {
	for x := range 40 {
		for y := range 30 {
			if a.At(x, y) != b.At(x, y) {
				return false
			}
		}
	}
	return a.Bounds() == b.Bounds()
}

// A picture that is not built as its format says may be meant so: it stays as it
// is, whatever is cut off or changed, and nothing panics.
func TestV7_BrokenPicturesStay(t *testing.T) {
	t.Parallel()
	p, j := plainPictures(t)
	broken := [][]byte{slices.Concat(pngMagic, []byte("\xff\xff\xff\xffIHDR\x00\x00\x00\x00")), slices.Concat([]byte("\xff\xd8"), segment(0xe1, canary)),
		[]byte("\xff\xd8\xff\xe1\x00\x01"), []byte("\xff\xd8\xff\xff\xff"), []byte("\xff\xd8\xff\xd8\xff\xd9")}
	for n := 8; n < len(p); n++ {
		broken = append(broken, p[:n])
	}
	for n := 3; n < len(j)-1; n++ {
		broken = append(broken, j[:n])
	}
	wrong := slices.Clone(p)
	wrong[len(pngMagic)+20]++ // its checksum does not fit any more
	for _, data := range append(broken, wrong) {
		got, left, err := WithoutMetadata(data)
		if err == nil || left != 0 || !bytes.Equal(got, data) {
			t.Fatalf("%d octets became %d: %v", len(data), len(got), err)
		}
	}
}

func TestMayTellMetadata(t *testing.T) {
	t.Parallel()
	p, j := plainPictures(t)
	rows := map[string]string{"%PDF-1.7\n": "PDF", "PK\x03\x04....[Content_Types].xml": "office file", "PK\x03\x04..mimetypeapplication/vnd.oasis.opendocument.text": "office file",
		"PK\x03\x04 poc.bin": "", "RIFF\x00\x00\x00\x00WEBP": "WebP picture", "\x00\x00\x00\x18ftypheic": "picture or film", string(p): "", string(j): "", "": "", "text": ""}
	for data, want := range rows {
		if got := MayTellMetadata([]byte(data)); got != want {
			t.Errorf("%.20q is %q, want %q", data, got, want)
		}
	}
}

func FuzzWithoutMetadata(f *testing.F) {
	f.Add(slices.Concat(pngMagic, chunk("IHDR", canary), chunk("tEXt", canary), chunk("IEND", "")))
	f.Add(slices.Concat([]byte("\xff\xd8"), segment(0xe1, canary), segment(0xda, "x"), []byte("scan\xff\x00\xff\xd9after")))
	f.Fuzz(func(t *testing.T, data []byte) {
		bare, left, err := WithoutMetadata(data)
		if err != nil {
			return
		}
		again, more, err := WithoutMetadata(bare)
		if err != nil || more != 0 || !bytes.Equal(again, bare) || left != len(data)-len(bare) || left < 0 {
			t.Fatalf("%q became %q, then %q: %v", data, bare, again, err)
		}
	})
}
