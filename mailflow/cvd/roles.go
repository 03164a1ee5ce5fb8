package cvd

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Roles lists what a party may be in a case.
func Roles() []Role { return []Role{RoleVendor, RoleFinder, RoleObserver, RoleCoordinator} }

// ParseRole reads a role.
func ParseRole(s string) (Role, error) {
	r := Role(strings.ToLower(strings.TrimSpace(s)))
	if !slices.Contains(Roles(), r) {
		return "", fmt.Errorf("%q is not a role (vendor, finder, observer, coordinator)", s)
	}
	return r, nil
}

// Hears says whether a stage may go to a participant at all, whatever else it
// needs: to a vendor each, to everybody else what is public and nothing before
// it. Who is a vendor as well is told as a vendor, by the same gate.
func (p Participant) Hears(s Stage) bool {
	return p.Has(RoleVendor) || s == Public && len(p.Roles) > 0
}

// Without is the participant without one of its roles.
func (p Participant) Without(r Role) Participant {
	p.Roles = slices.DeleteFunc(slices.Clone(p.Roles), func(have Role) bool { return have == r })
	return p
}

// Spend uses up the codes that a notice gave a participant.
func (p *Participant) Spend(notice uint64, now time.Time) {
	p.Codes = slices.Clone(p.Codes)
	for i, c := range p.Codes {
		if c.Notice == notice && c.Used.IsZero() {
			p.Codes[i].Used = now
		}
	}
}
