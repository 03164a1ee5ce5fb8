package mailflow

import (
	"fmt"

	"parley/mailflow/cvd"
	"parley/mailflow/journal"
	"parley/mailflow/store"
)

// deskZone is `zone ZONE [for COORDINATOR]`: where a coordinator is.
func deskZone(s *sitting, p *phrase) (string, error) {
	name, err := p.next("a time zone, such as Europe/Berlin,")
	if err != nil {
		return "", err
	}
	zone, err := cvd.ParseZone(name)
	if err != nil {
		return "", notDone("%v", err)
	}
	who := s.by.Name
	if p.word("for") {
		if who, err = p.next("the name of a coordinator"); err != nil {
			return "", err
		}
	} else if s.by.Via == ViaOperator {
		return "", notDone("whose zone is it? write: %s", p.usage)
	}
	if err := p.end(); err != nil {
		return "", err
	}
	c, err := s.coordinatorNamed(who)
	if err != nil {
		return "", err
	}
	if c.Zone = zone.String(); c.Zone == "" {
		return "", notDone("%q is not a time zone such as Europe/Berlin or UTC", name)
	}
	if err := PutCoordinator(s.tx, c); err != nil {
		return "", err
	}
	said := fmt.Sprintf("%s is in %s, where it is %s now", c.Name, c.Zone, s.tx.Now.In(zone).Format("Mon 15:04"))
	if s.Digest.On {
		said += "; the next digest comes at " + instant(s.Digest.after(s.tx.Now, zone))
	}
	s.tx.Changed(store.Change{Topic: "due"}) // the scheduler asks again when it is due
	return said, record(s.tx, journal.Record{Actor: s.by.Name, Kind: "coordinator.zone", Ref: c.Name, Detail: c.Zone})
}
