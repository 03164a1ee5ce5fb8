package mailflow

import (
	"fmt"

	"parley/mailflow/cvd"
)

// approver is who says yes or no: hardly ever who writes most, where there are
// others.
func (h *history) approver(d deed) string {
	if len(h.people) == 1 {
		return h.people[0]
	}
	return []string{"ben", "cho", "ben", "cho", "ana"}[d.b%5]
}

// role makes a vendor a finder of its case as well, who asks how things stand; its
// product team passes the same gate as everybody.
func (h *history) role(d deed) {
	id, v := h.caseOf(d), h.vendorOf(d)
	if h.o.cases[id].seats[v].finder {
		h.letter(id, v, fmt.Sprintf("%s %s\n", []string{"STATE", "ANONYMOUS"}[d.c%2], id))
		return
	}
	h.say(id, "invite "+v+" role "+string(cvd.RoleFinder))
}
