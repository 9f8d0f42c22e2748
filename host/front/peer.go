package front

import (
	"net"
	"net/netip"
	"strings"

	"github.com/cloche-run/cloche/abi"
)

// peer is the other end of a connection.
type peer struct {
	addr    string // "ip:port"
	ip      netip.Addr
	ipText  string
	trusted bool   // one of Config.TrustedProxies
	local   string // our own address
}

// meet says who is at the other end of c. A peer that has no IP address, as on
// a Unix socket, is on this machine.
func (s *Server) meet(c net.Conn) peer {
	p := peer{ip: netip.AddrFrom4([4]byte{127, 0, 0, 1}), local: "localhost"}
	var port uint16
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		p.ip, port = plain(tcp.AddrPort().Addr()), tcp.AddrPort().Port()
	}
	if tcp, ok := c.LocalAddr().(*net.TCPAddr); ok {
		p.local = netip.AddrPortFrom(plain(tcp.AddrPort().Addr()), tcp.AddrPort().Port()).String()
	}
	p.ipText, p.addr = p.ip.String(), netip.AddrPortFrom(p.ip, port).String()
	p.trusted = s.trusts(p.ip)
	return p
}

// plain is an address as it is written in a header: no zone, IPv4 as IPv4.
func plain(ip netip.Addr) netip.Addr { return ip.Unmap().WithZone("") }

// holder is what the limit of connections counts by: an IPv4 address, or the
// /64 that one IPv6 customer is given as a matter of course.
func (p *peer) holder() netip.Addr {
	if prefix, err := p.ip.Prefix(64); err == nil && p.ip.Is6() {
		return prefix.Addr()
	}
	return p.ip
}

func (s *Server) trusts(ip netip.Addr) bool {
	for _, prefix := range s.cfg.TrustedProxies {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// origin is where a request comes from: what its connection and, behind a
// trusted proxy, its X-Forwarded-* fields say. A field that several proxies
// wrote to counts from the right: the last entry is what the nearest one saw.
type origin struct {
	clientIP, scheme, host string
}

func (s *Server) origin(p *peer, q *request) origin {
	o := origin{clientIP: p.ipText, scheme: "http", host: q.req.Host}
	if !p.trusted {
		return o
	}
	o.clientIP = s.clientIP(p, q.req.Header)
	for i := range q.req.Header {
		switch f := &q.req.Header[i]; f.Name {
		case "x-forwarded-proto":
			switch proto := lastEntry(f.Value); {
			case abi.EqualFold(proto, "https"):
				o.scheme = "https"
			case abi.EqualFold(proto, "http"):
				o.scheme = "http"
			}
		case "x-forwarded-host":
			o.host = lastEntry(f.Value)
		}
	}
	return o
}

// clientIP is the right-most address of X-Forwarded-For that is no trusted
// proxy: everything left of it is the client's own claim. If all are trusted it
// is the left-most, and an entry that is no address ends the search.
func (s *Server) clientIP(p *peer, h abi.Header) string {
	client := p.ip
	for i := len(h) - 1; i >= 0; i-- {
		if h[i].Name != abi.HeaderForwardedFor {
			continue
		}
		for list := h[i].Value; list != ""; {
			entry := lastEntry(list)
			list = strings.TrimSuffix(list[:strings.LastIndexByte(list, ',')+1], ",")
			ip, ok := parseIP(entry)
			if !ok {
				return client.String()
			}
			if client = ip; !s.trusts(ip) {
				return client.String()
			}
		}
	}
	return client.String()
}

// parseIP reads an address, with or without brackets and port.
func parseIP(s string) (netip.Addr, bool) {
	ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"))
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		ip = ap.Addr()
	}
	return plain(ip), true
}

func lastEntry(list string) string {
	return strings.Trim(list[strings.LastIndexByte(list, ',')+1:], " \t")
}
