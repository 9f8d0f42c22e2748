package admin

import (
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/cloche-run/cloche/abi"
)

const (
	// MaxMeasured is how many functions have series of their own; the rest share
	// the label OtherFunctions.
	MaxMeasured    = 10_000
	OtherFunctions = "(other)"
	// outcomeOK is the outcome of an invocation that had no fault.
	outcomeOK = "ok"
)

// Metrics is what Prometheus reads at /metrics, beside the Go runtime's go_* and
// the process's process_*:
//
//	cloche_build_info{version,go_version}        gauge      1
//	cloche_invocations_total{function,outcome}   counter    ended invocations; outcome is ok or an abi.Fault
//	cloche_invocation_queue_seconds{function}    histogram  wait for an instance
//	cloche_invocation_init_seconds{function}     histogram  time to an instance that is ready
//	cloche_invocation_exec_seconds{function}     histogram  time in the guest
//	cloche_invocation_memory_bytes{function}     histogram  largest linear memory of an invocation
//	cloche_fuel_total{function}                  counter    fuel burnt
//	cloche_instances_running{function}           gauge      instances that serve an invocation now
//	cloche_queue_length{function}                gauge      requests that wait for an instance now
//	cloche_guest_memory_bytes                    gauge      memory that all guests hold now
//	cloche_guest_memory_limit_bytes              gauge      memory that all guests may hold together
//	cloche_requests_refused_total{fault}         counter    requests that reached no function
//
// Labels are bounded: function is a name of the site, of which the first
// MaxMeasured count, and fault is one of abi.
type Metrics struct {
	registry *prometheus.Registry

	invocations, fuel *prometheus.CounterVec
	queue, init, exec *prometheus.HistogramVec
	memory            *prometheus.HistogramVec
	running, queued   *prometheus.GaugeVec
	refused           map[abi.Fault]prometheus.Counter
	perFunction       []vector // those with a label function

	mu        sync.Mutex
	functions map[string]*FunctionMetrics
}

// NewMetrics makes the metrics of a host of that version. memory is asked at
// every scrape for the bytes that all guests hold, of the limit they may.
func NewMetrics(version string, memory func() int64, limit int64) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), functions: make(map[string]*FunctionMetrics)}
	m.invocations = m.counters("cloche_invocations_total", "Invocations that ended, by outcome: ok or a fault.", "function", "outcome")
	m.fuel = m.counters("cloche_fuel_total", "Fuel that guests burnt.", "function")
	m.queue = m.histograms("cloche_invocation_queue_seconds", "Time an invocation waited for an instance.", secondsBuckets())
	m.init = m.histograms("cloche_invocation_init_seconds", "Time it took to have an instance ready.", secondsBuckets())
	m.exec = m.histograms("cloche_invocation_exec_seconds", "Time an invocation spent in the guest.", secondsBuckets())
	m.memory = m.histograms("cloche_invocation_memory_bytes", "Largest size of the linear memory in an invocation.", bytesBuckets())
	m.running = m.gauges("cloche_instances_running", "Instances that serve an invocation now.", "function")
	m.queued = m.gauges("cloche_queue_length", "Requests that wait for an instance now.", "function")
	m.registry.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "cloche_guest_memory_bytes", Help: "Memory that all guests hold now."},
			func() float64 { return float64(memory()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "cloche_guest_memory_limit_bytes", Help: "Memory that all guests may hold together."},
			func() float64 { return float64(limit) }),
	)
	m.gauges("cloche_build_info", "Always 1; the labels say what runs.", "version", "go_version").
		WithLabelValues(version, runtime.Version()).Set(1)

	refused := m.counters("cloche_requests_refused_total", "Requests that reached no function, by fault.", "fault")
	m.refused = make(map[abi.Fault]prometheus.Counter)
	for _, fault := range abi.Faults() {
		m.refused[fault] = refused.WithLabelValues(string(fault))
	}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

func (m *Metrics) counters(name, help string, labels ...string) *prometheus.CounterVec {
	vec := prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	m.register(vec, labels)
	return vec
}

func (m *Metrics) gauges(name, help string, labels ...string) *prometheus.GaugeVec {
	vec := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, labels)
	m.register(vec, labels)
	return vec
}

func (m *Metrics) histograms(name, help string, buckets []float64) *prometheus.HistogramVec {
	labels := []string{"function"}
	vec := prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: buckets}, labels)
	m.register(vec, labels)
	return vec
}

// vector is a metric with labels.
type vector interface {
	prometheus.Collector
	DeletePartialMatch(prometheus.Labels) int
}

func (m *Metrics) register(vec vector, labels []string) {
	m.registry.MustRegister(vec)
	if slices.Contains(labels, "function") {
		m.perFunction = append(m.perFunction, vec)
	}
}

// secondsBuckets reach from a warm guest to the deadline of a background one.
func secondsBuckets() []float64 {
	return []float64{
		50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3,
		100e-3, 250e-3, 500e-3, 1, 2.5, 5, 10, 30, 60, 300, 900,
	}
}

// bytesBuckets reach from one page of linear memory to all that there can be.
func bytesBuckets() []float64 { return prometheus.ExponentialBuckets(abi.PageBytes, 4, 9) }

// known is fault, or internal for a fault that is none of abi's.
func (m *Metrics) known(fault abi.Fault) abi.Fault {
	if m.refused[fault] == nil {
		return abi.FaultInternal
	}
	return fault
}

// Refused counts a request that reached no function.
func (m *Metrics) Refused(fault abi.Fault) { m.refused[m.known(fault)].Inc() }

// Function returns the metrics of one function, made at the first call. It is
// to be kept: the lookup is not for every request.
func (m *Metrics) Function(name string) *FunctionMetrics {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.functions[name] == nil && len(m.functions) >= MaxMeasured {
		name = OtherFunctions
	}
	f := m.functions[name]
	if f == nil {
		f = m.newFunction(name)
		m.functions[name] = f
	}
	return f
}

func (m *Metrics) newFunction(name string) *FunctionMetrics {
	return &FunctionMetrics{
		metrics: m, name: name,
		ok:    m.invocations.WithLabelValues(name, outcomeOK),
		fuel:  m.fuel.WithLabelValues(name),
		queue: m.queue.WithLabelValues(name), init: m.init.WithLabelValues(name),
		exec: m.exec.WithLabelValues(name), memory: m.memory.WithLabelValues(name),
		running: m.running.WithLabelValues(name), queued: m.queued.WithLabelValues(name),
	}
}

// Retain drops the series of every function but those named: what a reload took
// off the site. Invocations of theirs that still run count nowhere.
func (m *Metrics) Retain(names []string) {
	keep := make(map[string]bool, len(names))
	for _, name := range names {
		keep[name] = true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, f := range m.functions {
		if keep[name] || name == OtherFunctions {
			continue
		}
		f.gone = true
		delete(m.functions, name)
		for _, vec := range m.perFunction {
			vec.DeletePartialMatch(prometheus.Labels{"function": name})
		}
	}
}

// handler answers scrapes, at most four at a time.
func (m *Metrics) handler(log *slog.Logger) http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: 4,
		Timeout:             10 * time.Second,
	})
}

// FunctionMetrics is the metrics of one function, ready to be counted. It is
// safe for concurrent use and, but for faults, takes no lock.
type FunctionMetrics struct {
	metrics *Metrics
	name    string
	gone    bool // guarded by metrics.mu

	ok, fuel                  prometheus.Counter
	queue, init, exec, memory prometheus.Observer
	running, queued           prometheus.Gauge
}

// Invocation is what there is to count of an invocation that ended.
type Invocation struct {
	// Fault is "" when the function answered.
	Fault abi.Fault
	// Queue is the wait for an instance, Init the time to one that is ready, Exec
	// the time in the guest.
	Queue, Init, Exec time.Duration
	MemoryBytes       int64
	Fuel              uint64
}

// Done counts an invocation.
func (f *FunctionMetrics) Done(i Invocation) {
	if i.Fault == "" {
		f.ok.Inc()
	} else {
		f.fault(i.Fault)
	}
	f.queue.Observe(i.Queue.Seconds())
	f.init.Observe(i.Init.Seconds())
	f.exec.Observe(i.Exec.Seconds())
	f.memory.Observe(float64(i.MemoryBytes))
	f.fuel.Add(float64(i.Fuel))
}

// Refused counts an invocation that never began: there is a fault to count and
// nothing to measure.
func (f *FunctionMetrics) Refused(fault abi.Fault) { f.fault(fault) }

func (f *FunctionMetrics) fault(fault abi.Fault) {
	f.metrics.mu.Lock()
	defer f.metrics.mu.Unlock()
	if !f.gone {
		f.metrics.invocations.WithLabelValues(f.name, string(f.metrics.known(fault))).Inc()
	}
}

// Running adds n, 1 or -1, to the instances that serve an invocation.
func (f *FunctionMetrics) Running(n int) { f.running.Add(float64(n)) }

// Queued adds n, 1 or -1, to the requests that wait for an instance.
func (f *FunctionMetrics) Queued(n int) { f.queued.Add(float64(n)) }
