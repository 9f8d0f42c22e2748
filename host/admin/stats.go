package admin

import (
	"net/http"

	"github.com/cloche-run/cloche/host/usage"
)

// Stats is the answer of /api/stats.
type Stats struct {
	// Jobs is how many jobs there are of each status.
	Jobs      map[string]int64         `json:"jobs"`
	Functions map[string]FunctionStats `json:"functions"`
}

// FunctionStats is what a function took in every month that is kept, together
// and apart.
type FunctionStats struct {
	Took
	Months map[usage.Month]Took `json:"months"`
}

// stats counts every function of the site, and those that are gone as long as
// their months are kept.
func (s *Server) stats(w http.ResponseWriter, r *http.Request) {
	jobs, _, err := s.config.Jobs.Counts(r.Context())
	if err != nil {
		s.failJob(w, err)
		return
	}
	stats := Stats{Jobs: jobs, Functions: map[string]FunctionStats{}}
	for _, f := range s.config.Functions.List() {
		stats.Functions[f.Name] = FunctionStats{Months: map[usage.Month]Took{}}
	}
	sums := map[string]usage.Counters{}
	for month, functions := range s.config.Counters.Snapshot().Months {
		for name, counters := range functions {
			one := stats.Functions[name]
			if one.Months == nil {
				one.Months = map[usage.Month]Took{}
			}
			one.Months[month] = TookOf(counters)
			sums[name] = sums[name].Plus(counters)
			one.Took = TookOf(sums[name])
			stats.Functions[name] = one
		}
	}
	reply(w, http.StatusOK, stats)
}
