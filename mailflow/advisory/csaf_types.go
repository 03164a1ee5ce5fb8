package advisory

// The parts of a CSAF 2.0 document that we write, in the order and with the names
// of the standard's JSON schema (section 3).

type csafDocument struct {
	Document        csafHead            `json:"document"`
	ProductTree     *csafTree           `json:"product_tree,omitempty"`
	Vulnerabilities []csafVulnerability `json:"vulnerabilities,omitempty"`
}

type csafHead struct {
	Acknowledgments   []csafThanks    `json:"acknowledgments,omitempty"`
	AggregateSeverity *csafSeverity   `json:"aggregate_severity,omitempty"`
	Category          string          `json:"category"`
	Version           string          `json:"csaf_version"`
	Distribution      *csafHandling   `json:"distribution,omitempty"`
	Lang              string          `json:"lang"`
	Notes             []csafNote      `json:"notes,omitempty"`
	Publisher         csafPublisher   `json:"publisher"`
	References        []csafReference `json:"references,omitempty"`
	Title             string          `json:"title"`
	Tracking          csafTracking    `json:"tracking"`
}

type csafThanks struct {
	Names   []string `json:"names"`
	Summary string   `json:"summary"`
}

type csafSeverity struct {
	Text string `json:"text"`
}

type csafHandling struct {
	Text string   `json:"text,omitempty"`
	TLP  *csafTLP `json:"tlp,omitempty"`
}

type csafTLP struct {
	Label string `json:"label"`
}

type csafNote struct {
	Category string `json:"category"`
	Text     string `json:"text"`
	Title    string `json:"title,omitempty"`
}

type csafPublisher struct {
	Category  string `json:"category"`
	Contact   string `json:"contact_details,omitempty"`
	Name      string `json:"name"`
	Namespace string `json:"namespace"`
}

type csafReference struct {
	Category string `json:"category"`
	Summary  string `json:"summary"`
	URL      string `json:"url"`
}

type csafTracking struct {
	Current string         `json:"current_release_date"`
	ID      string         `json:"id"`
	Initial string         `json:"initial_release_date"`
	History []csafRevision `json:"revision_history"`
	Status  string         `json:"status"`
	Version string         `json:"version"`
}

type csafRevision struct {
	Date    string `json:"date"`
	Number  string `json:"number"`
	Summary string `json:"summary"`
}

type csafTree struct {
	Branches []*csafBranch `json:"branches"`
}

type csafBranch struct {
	Branches []*csafBranch `json:"branches,omitempty"`
	Category string        `json:"category"`
	Name     string        `json:"name"`
	Product  *csafProduct  `json:"product,omitempty"`
}

type csafProduct struct {
	Name string `json:"name"`
	ID   string `json:"product_id"`
}

type csafVulnerability struct {
	CVE          string       `json:"cve,omitempty"`
	Flags        []csafFlag   `json:"flags,omitempty"`
	IDs          []csafID     `json:"ids"`
	Notes        []csafNote   `json:"notes"`
	Status       *csafStatus  `json:"product_status,omitempty"`
	ReleaseDate  string       `json:"release_date,omitempty"`
	Remediations []csafRemedy `json:"remediations,omitempty"`
	Threats      []csafThreat `json:"threats,omitempty"`
	Title        string       `json:"title"`
}

type csafFlag struct {
	Label    string   `json:"label"`
	Products []string `json:"product_ids"`
}

type csafID struct {
	System string `json:"system_name"`
	Text   string `json:"text"`
}

type csafStatus struct {
	Fixed         []string `json:"fixed,omitempty"`
	Affected      []string `json:"known_affected,omitempty"`
	NotAffected   []string `json:"known_not_affected,omitempty"`
	Investigating []string `json:"under_investigation,omitempty"`
}

type csafRemedy struct {
	Category string   `json:"category"`
	Date     string   `json:"date,omitempty"`
	Details  string   `json:"details"`
	Products []string `json:"product_ids"`
}

type csafThreat struct {
	Category string   `json:"category"`
	Details  string   `json:"details"`
	Products []string `json:"product_ids"`
}
