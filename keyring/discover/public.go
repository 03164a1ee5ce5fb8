package discover

import (
	"net/netip"
	"slices"
	"strings"
)

// special are networks that are not of the public Internet, out of what is
// routed at all: IANA's registries of special-purpose addresses (RFC 6890).
var special = prefixes(
	"0.0.0.0/8",       // this network
	"10.0.0.0/8",      // private (RFC 1918)
	"100.64.0.0/10",   // behind carriers' translators (RFC 6598)
	"127.0.0.0/8",     // loopback
	"169.254.0.0/16",  // link-local; cloud metadata
	"172.16.0.0/12",   // private
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation (RFC 5737)
	"192.88.99.0/24",  // 6to4 relays (RFC 7526)
	"192.168.0.0/16",  // private
	"198.18.0.0/15",   // benchmarks (RFC 2544)
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"224.0.0.0/4",     // multicast
	"240.0.0.0/4",     // reserved, broadcast

	"2001::/23",     // protocol assignments: Teredo, ORCHID
	"2001:db8::/32", // documentation
	"2002::/16",     // 6to4: an IPv4 address inside
	"3fff::/20",     // documentation (RFC 9637)
)

// unicast is all of IPv6 that is handed out. Loopback, unspecified, unique and
// link-local addresses, multicast, NAT64 and IPv4 in other clothes lie outside.
var unicast = netip.MustParsePrefix("2000::/3")

func prefixes(all ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(all))
	for i, s := range all {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// Public reports whether an address is of the public Internet. An IPv4 address
// that is mapped into IPv6, as resolvers give them, is judged as what it is.
func Public(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	if !a.IsValid() || a.Is6() && !unicast.Contains(a) {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// reserved are domains that no public server is under: RFC 2606, 6761, 6762,
// 7686, 8375, 9476, and ICANN's internal. A resolver that is asked for one
// either leaks it or answers with a host of the network that we are in.
var reserved = []string{"example", "test", "invalid", "localhost", "local", "onion", "internal", "alt", "home.arpa"}

// Nowhere reports whether a host lies under a domain that no public server is under:
// nothing outside is asked for it.
func Nowhere(host string) bool {
	host = "." + strings.ToLower(strings.TrimSuffix(host, "."))
	return slices.ContainsFunc(reserved, func(d string) bool { return strings.HasSuffix(host, "."+d) })
}
