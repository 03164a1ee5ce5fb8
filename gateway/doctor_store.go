package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"parley/gateway/ctl"
	"parley/mailflow"
	"parley/mailflow/store"
)

const (
	keySoon   = 60 * 24 * time.Hour
	backupOld = 8 * 24 * time.Hour
)

// examine is what the store tells the doctor.
func examine(ctx context.Context, a *app, r ctl.Request) (string, error) {
	var all []finding
	dns := a.dns
	if r.Flags["offline"] != "" {
		dns = nil
	}
	var needed map[string]string // why the records of old DKIM keys must stay
	now := a.base.Clock.Now()
	err := a.store.View(func(tx *store.Tx) error {
		desk, err := mailflow.Coordinators(tx)
		if err != nil {
			return err
		}
		backups, err := mailflow.Backups(tx)
		if err != nil {
			return err
		}
		all = append(all, examineDesk(desk), examineBackups(backups, now), a.examineOwnKey(now))
		needed, err = a.whyNeeded(tx)
		return err
	})
	if err != nil {
		return "", err
	}
	aside, err := a.store.Aside()
	if err != nil {
		return "", err
	}
	if len(aside) > 0 {
		all = append(all, examineAside(aside))
	}
	all = append(all, a.examineDomainKeys(ctx, dns, needed)...)
	f, err := a.base.Figures()
	if err != nil {
		return "", err
	}
	text, _ := prescription(append(all, examineWork(f, now)...))
	return text, nil
}

func examineDesk(desk []mailflow.Coordinator) finding {
	keys := 0
	for _, c := range desk {
		if len(c.Key) > 0 {
			keys++
		}
	}
	switch {
	case len(desk) == 0:
		return finding{wrong, "there is no coordinator: nobody reads what comes in", "parley coordinator add NAME"}
	case len(desk) == 1:
		return finding{later, "there is one coordinator: cool_off stands for the second person, and nobody is there when that one is not", "parley coordinator add NAME"}
	case keys < 2:
		return finding{later, fmt.Sprintf("%d of %d coordinators have an OpenPGP key on file: what counts only signed cannot be approved by a second one", keys, len(desk)), "parley coordinator add NAME --key FILE"}
	}
	return finding{fine, fmt.Sprintf("%d coordinators, %d with an OpenPGP key", len(desk), keys), ""}
}

// examineAside finds copies of before a change of schema: as long as they lie there,
// what is shredded can be had back.
func examineAside(names []string) finding {
	return finding{later, fmt.Sprintf("the state directory holds a copy of before the store was brought up to date (%s): it gives back what is shredded", strings.Join(names, ", ")), "once all is well, remove it"}
}

func examineBackups(all []mailflow.Backup, now time.Time) finding {
	if len(all) == 0 {
		return finding{later, "no backup was ever made", "parley backup FILE.age --recipient age1…, with a key that is kept elsewhere"}
	}
	last := all[len(all)-1]
	when := fmt.Sprintf("the last backup is of %s", last.At.UTC().Format("Mon 2 Jan 2006, 15:04 MST"))
	if now.Sub(last.At) > backupOld {
		return finding{later, when, "make one each week at least, and try parley restore now and then"}
	}
	return finding{fine, when, ""}
}

func (a *app) examineOwnKey(now time.Time) finding {
	end := a.base.Own.Signing().Certificate().Expires()
	switch {
	case end.IsZero():
		return finding{fine, "our OpenPGP key does not expire", ""}
	case !now.Before(end):
		return finding{wrong, fmt.Sprintf("our OpenPGP key expired on %s: nothing leaves", ends(end)), "parley key extend"}
	case end.Before(now.Add(keySoon)):
		return finding{later, fmt.Sprintf("our OpenPGP key expires on %s", ends(end)), "parley key extend, or parley key rotate"}
	}
	return finding{fine, fmt.Sprintf("our OpenPGP key is good until %s", ends(end)), ""}
}

func examineWork(f mailflow.Figures, now time.Time) []finding {
	var all []finding
	if f.Paused {
		all = append(all, finding{later, "sending is paused", "parley do status says by whom and why; sending resume ends it"})
	}
	if late := now.Sub(f.Due); !f.Due.IsZero() && late > 15*time.Minute && !f.Paused {
		all = append(all, finding{wrong, fmt.Sprintf("a notice is due for %s and was not looked at", late.Round(time.Minute)), "see that parley serve runs"})
	}
	return append(all, finding{fine, fmt.Sprintf("%d notices to come, %d mails wait for the smarthost, %d tasks for a person", f.Planned, f.Waiting, f.Tasks), ""})
}
