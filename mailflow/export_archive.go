package mailflow

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// archiver writes the files of an archive, one after the other.
type archiver struct {
	*Base
	tx  *store.Tx
	c   cvd.Case
	zip *zip.Writer
}

const archiveReadme = `%s %s, as of %s

status.txt    the case, and each participant
plan.txt      every notice, past and to come
history.txt   what happened, from the journal
case.json, participants.json, notices.json
threads/      what the desk was shown, a mailbox (mbox) per folder
received/     each mail of a thread exactly as it arrived, still encrypted
material/     what was written for each stage, every version, and its files
answers/      what was answered to all vendors at a stage

Addresses of threads and one-time codes are left out: with them somebody
could speak for a participant.
`

// archive writes all that is known of a case as a zip archive. The same state
// gives the same bytes.
func (b *Base) archive(tx *store.Tx, id cvd.CaseID, w io.Writer) error {
	c, err := CaseByID(tx, id)
	if err != nil {
		return err
	}
	a := archiver{b, tx, c, zip.NewWriter(w)}
	for _, part := range []func() error{a.facts, a.history, a.threads, a.materials, a.answers} {
		if err := part(); err != nil {
			return fmt.Errorf("archive %s: %w", id, err)
		}
	}
	return a.zip.Close()
}

func (a archiver) file(name string, data []byte) error {
	w, err := a.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: zipTime})
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

func (a archiver) json(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return a.file(name, append(data, '\n'))
}

func (a archiver) facts() error {
	if err := a.file("README.txt", fmt.Appendf(nil, archiveReadme, a.c.ID, a.c.Title, utc(a.tx.Now))); err != nil {
		return err
	}
	s := &sitting{Desk: &Desk{a.Base}, tx: a.tx, by: Actor{Name: Operator, Via: ViaOperator}, this: a.c.ID}
	lines, err := s.caseStatus(a.c)
	if err != nil {
		return err
	}
	if err := a.file("status.txt", []byte(strings.Join(lines, "\n")+"\n")); err != nil {
		return err
	}
	if lines, err = a.planLines(a.tx, a.c, ""); err != nil {
		return err
	}
	if err := a.file("plan.txt", []byte(strings.Join(append(lines, "plan "+planHash(lines)), "\n")+"\n")); err != nil {
		return err
	}
	if err := a.json("case.json", a.c); err != nil {
		return err
	}
	return a.people()
}

// people are the participants and what goes to them, without what would let
// somebody else act for them.
func (a archiver) people() error {
	ps, err := Participants(a.tx, a.c.ID)
	if err != nil {
		return err
	}
	var all []cvd.Notice
	for i, p := range ps {
		more, err := Notices(a.tx, a.c.ID, p.Party)
		if err != nil {
			return err
		}
		for _, n := range more {
			n.Code = ""
			all = append(all, n)
		}
		ps[i].Token, ps[i].Codes = "", nil
	}
	if err := a.json("participants.json", ps); err != nil {
		return err
	}
	return a.json("notices.json", all)
}

func (a archiver) history() error {
	var b bytes.Buffer
	err := journal.Each(a.tx, func(_ uint64, r journal.Record) error {
		if r.Case == string(a.c.ID) {
			b.WriteString(historyLine(r) + "\n")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return a.file("history.txt", b.Bytes())
}

// threads writes each folder of the case as an mbox, and beside it the mails as
// they arrived.
func (a archiver) threads() error {
	boxes, err := a.tx.Mailboxes()
	if err != nil {
		return err
	}
	for _, box := range boxes {
		if box.Case != string(a.c.ID) || box.Owner != "" {
			continue
		}
		uids, err := a.tx.UIDs(box.Number, nil)
		if err != nil || len(uids) == 0 {
			if err != nil {
				return err
			}
			continue
		}
		var mbox bytes.Buffer
		for _, uid := range uids {
			if err := a.message(&mbox, box, uid); err != nil {
				return err
			}
		}
		if err := a.file("threads/"+fileName(path.Base(box.Name))+".mbox", mbox.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func (a archiver) message(mbox *bytes.Buffer, box store.Mailbox, uid uint32) error {
	e, err := a.tx.Entry(box.Number, uid)
	if err != nil {
		return err
	}
	m, err := a.tx.Message(e.Message)
	if err != nil {
		return err
	}
	served, err := a.tx.Bytes(m.Served)
	if err != nil {
		return err
	}
	fmt.Fprintf(mbox, "From parley %s\n", m.At.UTC().Format("Mon Jan _2 15:04:05 2006"))
	for line := range bytes.Lines(bytes.ReplaceAll(served, []byte("\r\n"), []byte("\n"))) {
		if bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) {
			mbox.WriteByte('>') // mboxrd: what stands there is got back by taking one off
		}
		mbox.Write(line)
	}
	mbox.WriteString("\n")
	if m.Raw == nil {
		return nil
	}
	raw, err := a.tx.Bytes(*m.Raw)
	if err != nil {
		return err
	}
	return a.file(fmt.Sprintf("received/%s-%d.eml", fileName(path.Base(box.Name)), uid), raw)
}

// materials writes every version of what was written for a stage, for all and
// for single participants.
func (a archiver) materials() error {
	ps, err := Participants(a.tx, a.c.ID)
	if err != nil {
		return err
	}
	parties := []cvd.PartyID{""}
	for _, p := range ps {
		parties = append(parties, p.Party)
	}
	for _, stage := range append(cvd.Stages(), cvd.Mitigation, cvd.Holding) {
		for _, party := range parties {
			for r, err := range materials.All(a.tx, materialPrefix(a.tx, a.c.ID, stage, party)) {
				if err != nil {
					return err
				}
				if err := a.material(r.Value); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (a archiver) material(m cvd.Material) error {
	name := fmt.Sprintf("material/%s-v%d", m.Stage, m.Version)
	if m.Party != "" {
		name = fmt.Sprintf("material/%s-%s-v%d", m.Stage, m.Party, m.Version)
	}
	if err := a.file(name+".txt", []byte(m.Text)); err != nil {
		return err
	}
	for i, f := range m.Files {
		if err := a.file(fmt.Sprintf("%s-%d-%s", name, i+1, fileName(f.Name)), f.Data); err != nil {
			return err
		}
	}
	return nil
}

func (a archiver) answers() error {
	for _, stage := range cvd.Stages() {
		all, err := faqOf(a.tx, a.c.ID, stage)
		if err != nil {
			return err
		}
		if len(all) == 0 {
			continue
		}
		if err := a.file(fmt.Sprintf("answers/%s.txt", stage), []byte(strings.Join(faqTexts(all), "\n\n")+"\n")); err != nil {
			return err
		}
	}
	return nil
}

// fileName makes a name fit for a file on any system.
func fileName(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) || r == 0x7f {
			return '-'
		}
		return r
	}, strings.Trim(s, ". "))
}

// exported journals that an archive was written.
func exported(tx *store.Tx, o exportOrder, by Actor) error {
	return record(tx, journal.Record{Case: string(o.Case), Actor: by.Name, Kind: "case.exported", Detail: "sealed to " + o.To})
}
