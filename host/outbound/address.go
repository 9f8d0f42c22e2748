package outbound

import (
	"net"
	"net/netip"
	"syscall"
)

// refusedRanges are the addresses that are not of the public internet, after the
// special-purpose registries of IANA,
// https://www.iana.org/assignments/iana-ipv4-special-registry/ and
// https://www.iana.org/assignments/iana-ipv6-special-registry/, and of IPv6 what
// is no global unicast at all.
var refusedRanges = [...]netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),        // this network, and this host
	netip.MustParsePrefix("10.0.0.0/8"),       // private
	netip.MustParsePrefix("100.64.0.0/10"),    // carrier-grade NAT; metadata of some clouds
	netip.MustParsePrefix("127.0.0.0/8"),      // loopback
	netip.MustParsePrefix("168.63.129.16/32"), // Azure's metadata
	netip.MustParsePrefix("169.254.0.0/16"),   // link-local; metadata of most clouds
	netip.MustParsePrefix("172.16.0.0/12"),    // private
	netip.MustParsePrefix("192.0.0.0/24"),     // protocol assignments
	netip.MustParsePrefix("192.0.2.0/24"),     // documentation
	netip.MustParsePrefix("192.88.99.0/24"),   // 6to4 relays
	netip.MustParsePrefix("192.168.0.0/16"),   // private
	netip.MustParsePrefix("198.18.0.0/15"),    // benchmarks
	netip.MustParsePrefix("198.51.100.0/24"),  // documentation
	netip.MustParsePrefix("203.0.113.0/24"),   // documentation
	netip.MustParsePrefix("224.0.0.0/3"),      // multicast, reserved, broadcast
	netip.MustParsePrefix("::/3"),             // unspecified, loopback, IPv4 in disguise
	netip.MustParsePrefix("2001::/23"),        // protocol assignments, Teredo
	netip.MustParsePrefix("2001:db8::/32"),    // documentation
	netip.MustParsePrefix("2002::/16"),        // 6to4
	netip.MustParsePrefix("3fff::/20"),        // documentation
	netip.MustParsePrefix("4000::/2"),         // not assigned
	netip.MustParsePrefix("8000::/1"),         // not assigned, private, link-local, multicast
}

// nat64 holds IPv4 addresses for networks that have none, RFC 6052.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// isPublic reports whether an address is one of the public internet.
func isPublic(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	for _, r := range refusedRanges {
		if r.Contains(ip) {
			return false
		}
	}
	return ip.IsValid()
}

// onlyPublic is the net.Dialer's Control of what may not be private: it sees the
// address that is about to be connected to, whatever name led there. This machine's
// own addresses are as private as its loopback, for what listens there.
func onlyPublic(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !isPublic(at.Addr()) || isOwn(at.Addr()) {
		return refusef("%s is no public address: name the host in allow_hosts if the function may call it", address)
	}
	return nil
}

// isOwn reports whether an address is one of this machine's.
func isOwn(ip netip.Addr) bool {
	own, err := net.InterfaceAddrs()
	if err != nil {
		return true
	}
	for _, a := range own {
		if prefix, err := netip.ParsePrefix(a.String()); err == nil && prefix.Addr().Unmap() == ip.Unmap().WithZone("") {
			return true
		}
	}
	return false
}
