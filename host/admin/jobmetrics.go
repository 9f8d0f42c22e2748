package admin

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// JobMetrics is what Prometheus reads about jobs, beside Metrics:
//
//	cloche_jobs{status}                            gauge      jobs there are
//	cloche_jobs_due_seconds                        gauge      how long the job has waited that has been due longest
//	cloche_jobs_drift                              gauge      open jobs that are counted, less those that there are; 0
//	cloche_jobs_accepted_total{function}           counter    jobs that were accepted
//	cloche_jobs_dead_total{function,reason}        counter    jobs that died
//	cloche_job_attempts_total{function,outcome}    counter    attempts that ended: ok, error, timeout, canceled, interrupted
//	cloche_job_ack_seconds                         histogram  from a request to its job being on disk
//	cloche_schedule_skipped_total{function}        counter    ticks that made no job
//	cloche_outcomes_pending                        gauge      ends of jobs that on_success and on_failure were not told yet
//	cloche_ledger_bytes                            gauge      size of the ledger
//	cloche_ledger_healthy                          gauge      1 if jobs are accepted, else 0
//
// Jobs that expired while they waited are in cloche_jobs and not in the counter.
type JobMetrics struct {
	accepted, dead, attempts, skipped *prometheus.CounterVec
	ack                               prometheus.Histogram
}

// JobGauges is what there is at the moment of a scrape.
type JobGauges struct {
	Jobs    map[string]int64 // by status
	Due     time.Duration
	Drift   int
	Pending int64
	Bytes   int64
	Healthy bool
}

// scrapeTime bounds the question for JobGauges.
const scrapeTime = 5 * time.Second

// Jobs makes the metrics of jobs; once. gauges is asked at every scrape, which
// leaves out what it cannot say.
func (m *Metrics) Jobs(gauges func(context.Context) (JobGauges, error)) *JobMetrics {
	m.registry.MustRegister(newJobCollector(gauges))
	ack := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "cloche_job_ack_seconds", Help: "Time from a request to its job being on disk.", Buckets: secondsBuckets(),
	})
	m.registry.MustRegister(ack)
	return &JobMetrics{
		accepted: m.counters("cloche_jobs_accepted_total", "Jobs that were accepted.", "function"),
		dead:     m.counters("cloche_jobs_dead_total", "Jobs that died, by reason.", "function", "reason"),
		attempts: m.counters("cloche_job_attempts_total", "Attempts that ended, by outcome.", "function", "outcome"),
		skipped:  m.counters("cloche_schedule_skipped_total", "Ticks of schedules that made no job.", "function"),
		ack:      ack,
	}
}

// Accepted counts a job and the time until it was on disk.
func (m *JobMetrics) Accepted(function string, took time.Duration) {
	m.accepted.WithLabelValues(function).Inc()
	m.ack.Observe(took.Seconds())
}

// Attempted counts an attempt.
func (m *JobMetrics) Attempted(function, outcome string) {
	m.attempts.WithLabelValues(function, outcome).Inc()
}

// Died counts a dead job.
func (m *JobMetrics) Died(function, reason string) { m.dead.WithLabelValues(function, reason).Inc() }

// Skipped counts a tick that made no job.
func (m *JobMetrics) Skipped(function string) { m.skipped.WithLabelValues(function).Inc() }

// jobCollector asks for gauges once a scrape.
type jobCollector struct {
	gauges                                    func(context.Context) (JobGauges, error)
	jobs, due, drift, pending, bytes, healthy *prometheus.Desc
}

func newJobCollector(gauges func(context.Context) (JobGauges, error)) *jobCollector {
	describe := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return &jobCollector{
		gauges:  gauges,
		jobs:    describe("cloche_jobs", "Jobs there are, by status.", "status"),
		due:     describe("cloche_jobs_due_seconds", "How long the job has waited that has been due longest."),
		drift:   describe("cloche_jobs_drift", "Open jobs that are counted, less those that there are."),
		pending: describe("cloche_outcomes_pending", "Ends of jobs that are still to be told."),
		bytes:   describe("cloche_ledger_bytes", "Size of the ledger."),
		healthy: describe("cloche_ledger_healthy", "1 if jobs are accepted, else 0."),
	}
}

// Describe implements prometheus.Collector.
func (c *jobCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.jobs, c.due, c.drift, c.pending, c.bytes, c.healthy} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *jobCollector) Collect(to chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	g, err := c.gauges(ctx)
	send := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	healthy := 0.0
	if g.Healthy {
		healthy = 1
	}
	send(c.healthy, healthy)
	if err != nil {
		return
	}
	for status, n := range g.Jobs {
		send(c.jobs, float64(n), status)
	}
	send(c.due, g.Due.Seconds())
	send(c.drift, float64(g.Drift))
	send(c.pending, float64(g.Pending))
	send(c.bytes, float64(g.Bytes))
}
