package admin

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const (
	// headerVersion tells a client what it talks to, on every answer.
	headerVersion = "X-Cloche-Admin"
	// apiVersion changes when a client of the old API would not understand.
	apiVersion = "1"
)

// guard lets through who may enter.
func (s *Server) guard(next http.Handler, listener net.Addr) http.Handler {
	local := isLoopback(listener)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		if !s.knowsHost(r) {
			fail(w, http.StatusMisdirectedRequest,
				"the admin listener does not answer for this Host: use its address, or add the name to its hosts")
			return
		}
		if !(local && isOpen(r.URL.Path)) && !s.token.matches(bearer(r.Header)) {
			w.Header().Set("WWW-Authenticate", `Bearer realm="cloche admin"`)
			fail(w, http.StatusUnauthorized,
				"send Authorization: Bearer with the content of %s, in the data directory", TokenFile)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// secure sets what keeps browsers from making anything of an answer but text.
func secure(h http.Header) {
	h.Set(headerVersion, apiVersion)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
}

// isOpen lists what needs no token on a loopback listener.
func isOpen(path string) bool {
	return path == "/healthz" || path == "/readyz" || path == "/metrics"
}

func isLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// knowsHost reports whether the Host is the name or address of this listener:
// loopback, the address on which the connection came in, or a configured name.
func (s *Server) knowsHost(r *http.Request) bool {
	host := hostname(r.Host)
	if host == "localhost" {
		return true
	}
	for _, name := range s.config.Hosts {
		if host != "" && host == hostname(name) {
			return true
		}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	if ip = ip.Unmap(); ip.IsLoopback() {
		return true
	}
	addr, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && ip == addr.AddrPort().Addr().Unmap().WithZone("")
}

// hostname is a Host header without its port, in lower case; an IPv6 address
// without its brackets.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	} else if strings.HasPrefix(host, "[") && strings.HasSuffix(host, "]") {
		host = host[1 : len(host)-1]
	}
	return strings.TrimSuffix(strings.ToLower(host), ".")
}

// bearer is the token of a request, or "", which is nobody's.
func bearer(h http.Header) string {
	lines := h["Authorization"]
	if len(lines) != 1 {
		return ""
	}
	scheme, secret, _ := strings.Cut(lines[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(secret)
}
