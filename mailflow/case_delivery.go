package mailflow

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/queue"
)

// resolutions are the answers to "did it arrive?".
var resolutions = []string{"sent", "again", "drop"}

// deskDelivery is `delivery ID sent | again | drop`: what a person knows of a
// delivery whose answer was lost, or decides about one that was refused (rule
// T3).
func deskDelivery(s *sitting, p *phrase) (string, error) {
	text, err := p.next("the number of the delivery, such as D17,")
	if err != nil {
		return "", err
	}
	id, err := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(text), "D"), 10, 64)
	if err != nil {
		return "", notDone("%q is not the number of a delivery, such as D17", text)
	}
	how, err := p.next("what became of it: sent, again or drop,")
	if err != nil {
		return "", err
	}
	how = strings.ToLower(how)
	if !slices.Contains(resolutions, how) {
		return "", notDone("%q is no answer%s; say sent (it arrived), again (send the same bytes once more) or drop", how, nearest(how, resolutions))
	}
	if err := p.end(); err != nil {
		return "", err
	}
	return s.resolve(id, how)
}

func (s *sitting) resolve(id uint64, how string) (string, error) {
	unknown := notDone("there is no delivery D%d; `status` names those that need a person", id)
	it, err := s.Queue.Item(s.tx, id)
	if errors.Is(err, queue.ErrNotFound) {
		return "", unknown
	}
	if err != nil {
		return "", err
	}
	if c, err := CaseByID(s.tx, cvd.CaseID(it.Case)); err == nil && !s.by.sees(c) {
		return "", unknown
	}
	if err := s.Queue.Resolve(s.tx, id, how); err != nil {
		return "", err
	}
	err = record(s.tx, journal.Record{Case: it.Case, Party: it.Party, Actor: s.by.Name, Kind: "delivery." + how, Ref: fmt.Sprintf("D%d", id)})
	if err != nil {
		return "", err
	}
	said := map[string]string{"sent": "counts as sent", "again": "is sent once more, the same bytes", "drop": "is dropped and will not be sent"}
	return fmt.Sprintf("D%d to %s %s", id, it.Party, said[how]), nil
}
