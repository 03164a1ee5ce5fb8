package mailflow

import (
	"fmt"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/message"
	"parley/mailflow/store"
	"parley/templates"
)

// bareFiles are the files of a material as they leave: pictures without what tells
// of whoever made them (rule V7). What is kept, and what the guard compares, is the
// file as it came. A proof leaves as it is: its oddities may be the proof.
func bareFiles(w wording) []cvd.File {
	if w.Stage == cvd.Proof {
		return w.Files
	}
	var out []cvd.File
	for _, f := range w.Files {
		f.Data, _, _ = message.WithoutMetadata(f.Data) // a broken one stays as it is, which metadataLines said
		out = append(out, f)
	}
	return out
}

// metadataLines says of the files of a material what they tell beside their
// content, and what of that leaves.
func metadataLines(s cvd.Stage, files []cvd.File) []string {
	var out []string
	for _, f := range files {
		_, left, err := message.WithoutMetadata(f.Data)
		format := message.MayTellMetadata(f.Data)
		switch {
		case err != nil:
			out = append(out, f.Name+" is not built as its format says and leaves as it is, with whatever it tells of its maker.")
		case left > 0 && s == cvd.Proof:
			out = append(out, fmt.Sprintf("%s leaves as it is, as files of a proof do, with %d octets that may tell who made it, when and where.", f.Name, left))
		case left > 0:
			out = append(out, fmt.Sprintf("%s leaves without the %d octets that may tell who made it, when and where. Should they be part of the flaw, pack it as a ZIP file, which leaves as it is.", f.Name, left))
		case format != "":
			out = append(out, fmt.Sprintf("%s is a %s, which may tell who made it, when and with what. It leaves as it is: look at its properties, and send the material again without them.", f.Name, format))
		}
	}
	return out
}

// tellMetadata says so to the desk, where there is something to say.
func (s *Submission) tellMetadata(tx *store.Tx, m *submitted, d deskAddress, files []cvd.File) error {
	lines := metadataLines(d.Stage, files)
	if len(lines) == 0 {
		return nil
	}
	text := templates.Fill("", fmt.Sprintf("The material of %s for %s is taken. Of its files:", d.Case, d.Stage)) + "\n"
	for _, l := range lines {
		text += "\n" + templates.Fill("  ", l) + "\n"
	}
	p := Post{Case: d.Case, Subject: fmt.Sprintf("Files of %s: what they tell of their makers (%s)", strings.TrimSpace(string(d.Party)+" "+string(d.Stage)), m.by.Name),
		Text: text, Kind: "transcript"}
	return s.postTranscript(tx, p, "", false)
}
