package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
)

// Jobs lists jobs, the newest first.
func (c *Client) Jobs(ctx context.Context, q JobQuery) (page JobPage, err error) {
	values := url.Values{}
	for name, value := range map[string]string{"function": q.Function, "status": q.Status, "cursor": q.Cursor} {
		if value != "" {
			values.Set(name, value)
		}
	}
	if q.Limit != 0 {
		values.Set("limit", strconv.Itoa(q.Limit))
	}
	err = c.ask(ctx, "/api/jobs?"+values.Encode(), &page)
	return page, err
}

// Job returns one job with its attempts; a *StatusError with 404 if there is none.
func (c *Client) Job(ctx context.Context, id string) (job JobDetail, err error) {
	err = c.ask(ctx, "/api/jobs/"+url.PathEscape(id), &job)
	return job, err
}

// CancelJob ends a job, or asks it to end if it runs.
func (c *Client) CancelJob(ctx context.Context, id string) (job Job, err error) {
	err = c.tell(ctx, "/api/jobs/"+url.PathEscape(id)+"/cancel", nil, &job)
	return job, err
}

// ReplayJob makes a new job of one that has ended and returns its id.
func (c *Client) ReplayJob(ctx context.Context, id string) (newID string, err error) {
	var answer replayed
	err = c.tell(ctx, "/api/jobs/"+url.PathEscape(id)+"/replay", nil, &answer)
	return answer.ID, err
}

// PurgeJobs forgets jobs that have ended and returns how many.
func (c *Client) PurgeJobs(ctx context.Context, p JobPurge) (n int, err error) {
	body, err := json.Marshal(p)
	if err != nil {
		return 0, err
	}
	var answer purged
	err = c.tell(ctx, "/api/jobs/purge", bytes.NewReader(body), &answer)
	return answer.Purged, err
}

// SetPaused stops a function's jobs from being started, or lets them go on.
func (c *Client) SetPaused(ctx context.Context, function string, paused bool) error {
	what := "/resume"
	if paused {
		what = "/pause"
	}
	return c.tell(ctx, "/api/functions/"+url.PathEscape(function)+what, nil, new(pausing))
}

// tell posts and reads the JSON that comes back. It may take as long as ctx lets it.
func (c *Client) tell(ctx context.Context, path string, body io.Reader, into any) error {
	response, err := c.do(ctx, http.MethodPost, path, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	return c.decode(response, into)
}
