package templates

import (
	"time"

	"parley/mailflow/cvd"
)

// headsUp is what a heads-up template sees of a Notice: nothing that belongs
// to a later stage exists in it, so that a template that names the material
// stops the start (rule V4).
type headsUp struct {
	Us
	To
	Case       cvd.CaseID
	Stage      cvd.Stage
	Number, Of int
	TLP        cvd.TLP
	Code       string
	Version    int
	ReplyBy    time.Time
	End        time.Time
	Zone       string
	Severity   string
	Product    string
	Steps      []Step
	Reminder   bool
	OnRequest  cvd.Stage
}

func headsUpOf(n Notice) headsUp {
	return headsUp{Us: n.Us, To: n.To, Case: n.Case, Stage: n.Stage, Number: n.Number, Of: n.Of, TLP: n.TLP, Code: n.Code,
		Version: n.Version, ReplyBy: n.ReplyBy, End: n.End, Zone: n.Zone, Severity: n.Severity, Product: n.Product,
		Steps: n.Steps, Reminder: n.Reminder, OnRequest: n.OnRequest}
}
