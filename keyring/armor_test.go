package keyring_test

import (
	"bytes"
	"strings"
	"testing"

	"parley/keyring"
)

type armorCase struct {
	text string
	want int // blocks
}

var armorData = bytes.Repeat([]byte("0123456789"), 20)

// armorCases are texts with armor in them, as mail and people leave it.
func armorCases(t *testing.T) map[string]armorCase {
	t.Helper()
	block, err := keyring.EncodeArmor(keyring.ArmorMessage, armorData)
	if err != nil {
		t.Fatal(err)
	}
	b := string(block)
	body := strings.SplitN(b, "\n\n", 2)[1]
	begin := "-----BEGIN PGP MESSAGE-----\n"
	digits := strings.ReplaceAll(strings.Split(body, "\n=")[0], "\n", "")
	return map[string]armorCase{
		"alone":             {b, 1},
		"CRLF":              {strings.ReplaceAll(b, "\n", "\r\n"), 1},
		"mixed ends":        {strings.Replace(b, "\n", "\r\n", 3), 1},
		"text around":       {"Hello,\n\n" + b + "\nRegards\n", 1},
		"two":               {b + "\n" + b, 2},
		"header lines":      {begin + "Version: X 1\nComment: y: z\n\n" + body, 1},
		"no blank line":     {begin + body, 1},
		"trailing spaces":   {strings.ReplaceAll(b, "\n", "  \n"), 1},
		"blank lines":       {strings.ReplaceAll(b, "\n", "\n\n"), 1},
		"long lines":        {begin + "\n" + digits + "\n-----END PGP MESSAGE-----\n", 1},
		"odd lines":         {begin + "\n" + body[:7] + "\n" + body[7:], 1},
		"a digit a line":    {begin + "\n" + strings.Join(strings.Split(digits, ""), "\n") + "\n-----END PGP MESSAGE-----\n", 1},
		"no checksum":       {begin + "\n" + strings.Split(body, "\n=")[0] + "\n-----END PGP MESSAGE-----\n", 1},
		"no last line end":  {strings.TrimSpace(b), 1},
		"end behind data":   {begin + "\n" + digits + "-----END PGP MESSAGE-----\n", 1},
		"wrong checksum":    {begin + "\n" + digits + "\n=AAAA\n-----END PGP MESSAGE-----\n", 1},
		"behind checksum":   {begin + "\n" + digits + "\n=AAAA\nwhatever\n-----END PGP MESSAGE-----\n", 1},
		"no end":            {strings.Split(b, "-----END")[0], 0},
		"other end":         {strings.Replace(b, "END PGP MESSAGE", "END PGP SIGNATURE", 1), 0},
		"quoted":            {"> " + strings.ReplaceAll(b, "\n", "\n> "), 0},
		"dash-escaped":      {"- " + b, 0},
		"not base64":        {begin + "\n????\n-----END PGP MESSAGE-----\n", 0},
		"half a group":      {begin + "\n" + digits + "\nAAA\n-----END PGP MESSAGE-----\n", 0},
		"space in a line":   {begin + "\n" + digits[:8] + " " + digits[8:] + "\n-----END PGP MESSAGE-----\n", 0},
		"padding in middle": {begin + "\nAA==AAAA\n-----END PGP MESSAGE-----\n", 0},
		"begin before good": {begin + "\nnonsense \n" + b, 1},
		"empty":             {"", 0},
	}
}

func TestFindArmor(t *testing.T) {
	t.Parallel()
	for name, c := range armorCases(t) {
		found := keyring.FindArmor([]byte(c.text))
		if len(found) != c.want {
			t.Errorf("%s: %d blocks, want %d", name, len(found), c.want)
			continue
		}
		for _, f := range found {
			if !bytes.Equal(f.Data, armorData) || f.Kind != keyring.ArmorMessage {
				t.Errorf("%s: wrong block of kind %q", name, f.Kind)
			}
			if !strings.HasPrefix(c.text[f.Start:], "-----BEGIN") || !strings.HasPrefix(strings.TrimSpace(c.text[:f.End])[len(strings.TrimSpace(c.text[:f.End]))-5:], "-----") {
				t.Errorf("%s: block stands at %d to %d", name, f.Start, f.End)
			}
		}
	}
}

// A text full of lines that begin a block must not cost its square.
func TestP7_ManyBeginLines(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"-----BEGIN PGP MESSAGE-----\n", "-----BEGIN PGP a: b-----\n", "-----BEGIN PGP MESSAGE-----\na: b\n",
		"a: -----BEGIN PGP MESSAGE-----\n"} {
		text := []byte(strings.Repeat(line, 200_000) + "-----END PGP MESSAGE-----\n")
		if found := keyring.FindArmor(text); len(found) > 1 {
			t.Errorf("%d blocks", len(found))
		}
	}
}

// gopenpgp, trap 6: its armor says who made it.
func TestTrap6_ArmorTellsNothing(t *testing.T) {
	t.Parallel()
	armor, err := secret(t, "a@example.org").Certificate().Armor()
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"Version", "Comment", "GopenPGP", "Proton", ":"} {
		if bytes.Contains(armor, []byte(word)) {
			t.Errorf("armor holds %q", word)
		}
	}
}

// gopenpgp, trap 8: the checksum is written for old programs; one that is wrong
// is noted and does not stop anybody from reading.
func TestTrap8_Checksum(t *testing.T) {
	t.Parallel()
	armor, err := keyring.EncodeArmor(keyring.ArmorMessage, []byte("some data"))
	if err != nil {
		t.Fatal(err)
	}
	i := bytes.Index(armor, []byte("\n="))
	if i < 0 {
		t.Fatal("no checksum")
	}
	if b := keyring.FindArmor(armor); len(b) != 1 || b[0].Mismatch {
		t.Errorf("own armor: %+v", b)
	}
	copy(armor[i+2:], "AAAA")
	b := keyring.FindArmor(armor)
	if len(b) != 1 || !b[0].Mismatch || string(b[0].Data) != "some data" {
		t.Errorf("wrong checksum: %+v", b)
	}
	copy(armor[i+2:], "????")
	if b := keyring.FindArmor(armor); len(b) != 1 || !b[0].Mismatch {
		t.Errorf("broken checksum: %+v", b)
	}
}
