package advisory

import "regexp"

// The parts of a CVE record that we write (CVE record format 5.1.1).

type cveRecord struct {
	Type       string      `json:"dataType"`
	Version    string      `json:"dataVersion"`
	Metadata   cveMetadata `json:"cveMetadata"`
	Containers struct {
		CNA cveContainer `json:"cna"`
	} `json:"containers"`
}

type cveMetadata struct {
	ID    string `json:"cveId"`
	Org   string `json:"assignerOrgId"`
	State string `json:"state"`
}

type cveContainer struct {
	Provider     cveProvider  `json:"providerMetadata"`
	Public       string       `json:"datePublic,omitempty"`
	Title        string       `json:"title"`
	Descriptions []cveText    `json:"descriptions"`
	Affected     []cveProduct `json:"affected"`
	References   []cveLink    `json:"references"`
	Workarounds  []cveText    `json:"workarounds,omitempty"`
	Solutions    []cveText    `json:"solutions,omitempty"`
	Credits      []cveCredit  `json:"credits,omitempty"`
}

type cveProvider struct {
	Org string `json:"orgId"`
}

type cveText struct {
	Lang  string `json:"lang"`
	Value string `json:"value"`
}

type cveProduct struct {
	Vendor   string       `json:"vendor"`
	Product  string       `json:"product"`
	Versions []cveVersion `json:"versions,omitempty"`
	Default  string       `json:"defaultStatus"`
}

type cveVersion struct {
	Version string `json:"version"`
	Status  string `json:"status"`
	Type    string `json:"versionType,omitempty"`
	Last    string `json:"lessThanOrEqual,omitempty"`
}

type cveLink struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

type cveCredit struct {
	Lang  string `json:"lang"`
	Type  string `json:"type"`
	Value string `json:"value"`
}

var orgPattern = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// IsOrg says whether a text is the UUID of an organisation: a random one (RFC 9562
// section 5.4), as the record format asks.
func IsOrg(s string) bool { return orgPattern.MatchString(s) }
