package admin

import "net/http"

// health is the answer of /healthz.
type health struct {
	Status string `json:"status"`
}

// readiness is the answer of /readyz.
type readiness struct {
	Ready   bool     `json:"ready"`
	Reasons []string `json:"reasons,omitempty"`
}

func healthy(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, health{"ok"})
}

// ready asks the host, and looks for the token without which nobody could ask
// anything else.
func (s *Server) ready(w http.ResponseWriter, _ *http.Request) {
	reasons := s.config.Ready.Unready()
	if reason := s.token.check(s.config.Data); reason != "" {
		reasons = append(reasons, reason)
	}
	if len(reasons) > 0 {
		w.Header().Set("Retry-After", "1")
		reply(w, http.StatusServiceUnavailable, readiness{Reasons: reasons})
		return
	}
	reply(w, http.StatusOK, readiness{Ready: true})
}
