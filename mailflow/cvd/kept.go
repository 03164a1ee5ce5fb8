package cvd

import "time"

// Kept is a coordinator's word that a case is not destroyed before an instant.
type Kept struct {
	Until   time.Time
	Because string
	By      string
	At      time.Time // when it was said
}

// KeptAt says whether the desk said that a case stays, as of an instant. A legal
// hold is another thing: it has no end.
func (c Case) KeptAt(now time.Time) bool { return c.Kept != nil && now.Before(c.Kept.Until) }
