package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cloche-run/cloche/host/logs"
)

// logs streams records, one a line. With follow it goes on until the client
// leaves or stopping ends.
func (s *Server) logs(stopping context.Context, w http.ResponseWriter, r *http.Request) {
	query, follow, err := parseLogQuery(r.URL.RawQuery, time.Now())
	if err != nil {
		fail(w, http.StatusBadRequest, "%v", err)
		return
	}
	if !follow {
		s.stream(w, r, s.config.Logs.Query(query), false)
		return
	}
	select {
	case s.followers <- struct{}{}:
		defer func() { <-s.followers }()
	default:
		w.Header().Set("Retry-After", "10")
		fail(w, http.StatusServiceUnavailable, "%d clients follow the log already: end one of them", MaxFollowers)
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(stopping, cancel)()
	s.stream(w, r, s.config.Logs.Follow(ctx, query), true)
}

// stream sends records as they come, each flushed if live. An error in the midst
// cuts the connection, so that the client does not take it for the end.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, records iter.Seq2[logs.Record, error], live bool) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	if r.Method == http.MethodHead {
		return
	}
	connection := http.NewResponseController(w)
	unlimited(connection)
	if live {
		w.WriteHeader(http.StatusOK)
		_ = connection.Flush() // so that the client knows it was let in
	}
	encoder := json.NewEncoder(w)
	for record, err := range records {
		if err != nil {
			s.config.Log.Warn("cannot read the log", "error", err)
			panic(http.ErrAbortHandler)
		}
		_ = connection.SetWriteDeadline(time.Now().Add(s.timeouts.write))
		if encoder.Encode(record) != nil || live && connection.Flush() != nil {
			return // the client is gone
		}
	}
}

// parseLogQuery reads the query of /api/logs. A since that is a duration counts
// back from now: "0s" means only what is still to come.
func parseLogQuery(raw string, now time.Time) (q logs.Query, follow bool, err error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return q, false, fmt.Errorf("bad query: %w", err)
	}
	q.Limit = DefaultRecords
	for name := range values {
		value := values.Get(name)
		switch name {
		case "function":
			q.Function = value
		case "request":
			q.Request = value
		case "level":
			q.Level = value
		case "since":
			q.Since, err = ParseSince(value, now)
		case "limit":
			q.Limit, err = parseLimit(value)
		case "follow":
			follow, err = strconv.ParseBool(value)
		default:
			err = fmt.Errorf("unknown parameter %q: use function, request, level, since, limit, follow", name)
		}
		if err != nil {
			return q, false, err
		}
	}
	return q, follow, q.Check()
}

// ParseSince reads "since": a duration before now, or a time of RFC 3339.
func ParseSince(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, fmt.Errorf("since %q is neither a duration like 10m nor a time like 2026-11-02T10:00:00Z", text)
	}
	return t, nil
}

func parseLimit(text string) (int, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > MaxRecords {
		return 0, fmt.Errorf("limit %q is not a number from 1 to %d", text, MaxRecords)
	}
	return n, nil
}
