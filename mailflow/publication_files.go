package mailflow

import (
	"errors"
	"fmt"
	"slices"

	"parley/mailflow/advisory"
	"parley/mailflow/cvd"
	"parley/mailflow/store"
)

// publication is what one reader gets of an advisory beside its text.
type publication struct {
	Matrix  string
	Credits []string
	Files   []cvd.File // the CSAF document, then a record for each CVE ID
	Digest  string     // of all of it
}

// addPublication attaches to a notice of the advisory or the public stage what is
// to be published. Before it is public to everybody a vendor gets its own row alone
// (rule V2); that it is, the label of the policy's public stage says: TLP:CLEAR.
func (b *Base) addPublication(tx *store.Tx, p *parcel, l *looks) error {
	stage := p.Notice.Stage
	if stage != cvd.Advisory && stage != cvd.Public {
		return nil
	}
	made, err := b.publicationFor(tx, p.Case, p.Participant, stage, l)
	if err != nil {
		return err
	}
	p.Made = append(p.Made, made.Digest)
	p.Files = slices.Concat(p.Files, made.Files)
	if publicToAll(p.Case, stage) {
		p.Shared = slices.Concat(p.Shared, made.Files)
	} else {
		p.Own = slices.Concat(p.Own, made.Files)
	}
	p.View.Matrix, p.View.Credits = made.Matrix, made.Credits
	if clearForm(p.Question) {
		p.forClear(fileNames(p.Shared))
		return nil
	}
	p.View.Files = fileNames(p.Files)
	return nil
}

func (b *Base) publicationFor(tx *store.Tx, c cvd.Case, who cvd.Participant, stage cvd.Stage, l *looks) (publication, error) {
	if publicToAll(c, stage) {
		return b.wholePublication(tx, c, l)
	}
	a, err := b.advisoryFrame(tx, c, stage, l)
	if err != nil {
		return publication{}, err
	}
	a.Products = []advisory.Product{productOf(who)}
	return publish(a)
}

// publicToAll says whether a stage may tell each what the others said.
func publicToAll(c cvd.Case, stage cvd.Stage) bool {
	rule, ok := c.Policy.Rule(stage)
	return ok && stage == cvd.Public && rule.TLP == "CLEAR"
}

// wholePublication is the one that everybody gets. It is made once for all of a
// run, and anew as soon as anything in it has changed.
func (b *Base) wholePublication(tx *store.Tx, c cvd.Case, l *looks) (publication, error) {
	said, err := saidTimes(tx, c.ID)
	if err != nil {
		return publication{}, err
	}
	key, err := digestOf(c.ID, c.CVEs, c.Severity, c.Opened, c.Start, c.Embargo().End, c.Policy.Stages, said,
		lastVersion(tx, c.ID, cvd.Public, ""), lastVersion(tx, c.ID, cvd.Advisory, ""), lastVersion(tx, c.ID, cvd.Mitigation, ""))
	if err != nil {
		return publication{}, err
	}
	if made, ok := l.publication(key); ok {
		return made, nil
	}
	a, err := b.wholeAdvisory(tx, c, l)
	if err != nil {
		return publication{}, err
	}
	made, err := publish(a)
	if err == nil && (l.within == tx || !tx.Writable()) { // what another update reads may never be committed
		l.keepPublication(key, made)
	}
	return made, err
}

func (b *Base) wholeAdvisory(tx *store.Tx, c cvd.Case, l *looks) (advisory.Advisory, error) {
	a, err := b.advisoryFrame(tx, c, cvd.Public, l)
	if err != nil {
		return a, err
	}
	return a, allVendors(tx, &a, c.ID)
}

func (l *looks) publication(key string) (publication, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	made, ok := l.made[key]
	return made, ok
}

func (l *looks) keepPublication(key string, made publication) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made == nil {
		l.made = map[string]publication{}
	}
	l.made[key] = made
}

// publish writes an advisory in all its forms.
func publish(a advisory.Advisory) (publication, error) {
	out := publication{Matrix: advisory.Matrix(a), Credits: a.Credits}
	doc, err := advisory.CSAF(a)
	if err != nil {
		return out, err
	}
	out.Files = []cvd.File{jsonFile(advisory.CSAFFile(a.Tag), doc)}
	for _, id := range a.CVEs {
		record, err := advisory.CVERecord(a, id)
		if errors.Is(err, advisory.ErrNoProduct) {
			break // there is nothing to say yet
		}
		if err != nil {
			return out, err
		}
		out.Files = append(out.Files, jsonFile(advisory.CVEFile(id), record))
	}
	if out.Digest, err = digestOf(out.Matrix, out.Credits, out.Files); err != nil {
		return out, fmt.Errorf("digest what is published: %w", err)
	}
	return out, nil
}

func jsonFile(name string, data []byte) cvd.File {
	return cvd.File{Name: name, MediaType: "application/json", Data: data}
}

func fileNames(files []cvd.File) []string {
	var out []string
	for _, f := range files {
		out = append(out, f.Name)
	}
	return out
}
