package config

import (
	"strings"
	"time"

	"github.com/cloche-run/cloche/abi"
)

// Bounds of what a function's settings may be. The defaults of Timeout and
// MemoryBytes are those of abi.
const (
	// MinTimeout and MaxTimeout bound the deadline of one invocation. A day is
	// no limit of Netlify's: on your own machine, long jobs are your business.
	MinTimeout = time.Millisecond
	MaxTimeout = 24 * time.Hour

	// MinMemoryBytes is one page of a linear memory, MaxMemoryBytes all that 32
	// bits can address and Netlify's largest.
	MinMemoryBytes = abi.PageBytes
	MaxMemoryBytes = 4 << 30

	// DefaultTmpBytes is the size of a function's private /tmp; with MinTmpBytes it
	// has none.
	DefaultTmpBytes = 64 << 20
	MinTmpBytes     = 0
	MaxTmpBytes     = 1 << 30

	// MinFuel and MaxFuel bound a limit of fuel. A unit is some 0.1 ns of work.
	MinFuel = 1
	MaxFuel = 1 << 53

	// DefaultConcurrency is how many invocations of a function run at once. Each
	// reserves the addresses of its whole memory: MaxConcurrency of the largest
	// take 16 TiB of the 128 TiB that a process has.
	DefaultConcurrency = 64
	MinConcurrency     = 1
	MaxConcurrency     = 4096

	// DefaultQueue is how many requests of a function wait for their turn. With
	// MinQueue none does: at the limit of concurrency the answer is 429 at once.
	// Of a function that runs as jobs, it is how many jobs may be open.
	DefaultQueue = 256
	MinQueue     = 0
	MaxQueue     = 65_536
)

// BackgroundSuffix ends the names of functions that run in the background
// unless the file says otherwise.
const BackgroundSuffix = "-background"

// Function is the settings of one function, all of them resolved.
type Function struct {
	// Timeout is the deadline of one invocation.
	Timeout time.Duration
	// MemoryBytes is the most that the guest's linear memory may grow to, a
	// multiple of abi.PageBytes.
	MemoryBytes int64
	// TmpBytes is the size of the private /tmp that every invocation finds empty.
	TmpBytes int64
	// Fuel is what one invocation may cost; 0 is no limit.
	Fuel uint64
	// Concurrency is how many invocations run at once.
	Concurrency int
	// Queue is how many more may wait: requests or, if IsJob, jobs.
	Queue int
	// Background functions are answered 202 and run as jobs.
	Background bool
	// Job is about those that run as jobs.
	Job Job
	// Protocol is abi.ProtocolEvent or abi.ProtocolCGI.
	Protocol string
	// Isolation is abi.IsolationSnapshot, IsolationFresh or IsolationReuse.
	Isolation string
	// IncludedFiles are patterns of files, relative to the base directory, that the
	// guest may read; "!" in front takes files out.
	IncludedFiles []string
	// Env names the site variables that the guest sees, each once and sorted:
	// nil for all of them, empty for none.
	Env []string
	// AllowHosts are the hosts that the guest may call besides its own site, each once
	// and sorted, as outbound.ParseHosts reads them: nil if nothing is said.
	AllowHosts []string
}

// IsJob reports whether requests for the function become jobs.
func (f *Function) IsJob() bool { return f.Background || !f.Job.Schedule.IsZero() }

// Defaults is a function about which netlify.toml says nothing. One in the
// background has abi.BackgroundTimeout, one with a schedule abi.ScheduledTimeout,
// both DefaultBacklog.
func Defaults() Function {
	return Function{
		Timeout:     abi.Timeout,
		MemoryBytes: abi.MemoryPages * abi.PageBytes,
		TmpBytes:    DefaultTmpBytes,
		Concurrency: DefaultConcurrency,
		Queue:       DefaultQueue,
		Job:         defaultJob(),
		Protocol:    abi.ProtocolEvent,
		Isolation:   abi.IsolationSnapshot,
	}
}

// Function returns the settings of the function called name. For every key the
// rule that matches name with the most literal characters wins, an exact name
// first of all and [functions] itself last; arrays are joined. The rule is that
// of Netlify's zip-it-and-ship-it, src/config.ts.
func (c *Config) Function(name string) Function {
	var all settings
	for _, r := range c.rules {
		if match(r.glob, name) {
			all.override(r.settings)
		}
	}
	return all.function(name)
}

// function fills in what s leaves open.
func (s settings) function(name string) Function {
	f := Defaults()
	f.Background = strings.HasSuffix(name, BackgroundSuffix)
	set(&f.Background, s.background)
	f.Job = s.jobSettings.job()
	switch {
	case f.Background:
		f.Timeout, f.Queue = abi.BackgroundTimeout, DefaultBacklog
	case f.IsJob():
		f.Timeout, f.Queue = abi.ScheduledTimeout, DefaultBacklog
	}
	set(&f.Timeout, s.timeout)
	set(&f.MemoryBytes, s.memoryBytes)
	set(&f.TmpBytes, s.tmpBytes)
	if s.fuel != nil {
		f.Fuel = uint64(*s.fuel)
	}
	set(&f.Concurrency, s.concurrency)
	set(&f.Queue, s.queue)
	set(&f.Protocol, s.protocol)
	set(&f.Isolation, s.isolation)
	f.Env, f.IncludedFiles, f.AllowHosts = s.env, s.includedFiles, s.allowHosts
	return f
}

// settings is what one rule says, or several together; nil is "nothing".
type settings struct {
	timeout     *time.Duration
	memoryBytes *int64
	tmpBytes    *int64
	fuel        *int
	concurrency *int
	queue       *int
	background  *bool
	protocol    *string
	isolation   *string
	env         []string

	includedFiles []string
	allowHosts    []string

	jobSettings
}

// settings reads the keys of one rule.
func (t table) settings() settings {
	return settings{
		timeout:     t.duration("timeout", MinTimeout, MaxTimeout),
		memoryBytes: t.size("memory", MinMemoryBytes, MaxMemoryBytes),
		tmpBytes:    t.size("tmp", MinTmpBytes, MaxTmpBytes),
		fuel:        t.count("fuel", MinFuel, MaxFuel),
		concurrency: t.count("concurrency", MinConcurrency, MaxConcurrency),
		queue:       t.count("queue", MinQueue, MaxQueue),
		background:  t.boolean("background"),
		protocol:    t.choice("protocol", abi.ProtocolEvent, abi.ProtocolCGI),
		isolation:   t.choice("isolation", abi.IsolationSnapshot, abi.IsolationFresh, abi.IsolationReuse),
		env:         t.names("env"),

		includedFiles: t.strings("included_files"),
		allowHosts:    t.hosts("allow_hosts"),

		jobSettings: t.jobSettings(),
	}
}

// override lets the keys that o has win over those of s.
func (s *settings) override(o settings) {
	replace(&s.timeout, o.timeout)
	replace(&s.memoryBytes, o.memoryBytes)
	replace(&s.tmpBytes, o.tmpBytes)
	replace(&s.fuel, o.fuel)
	replace(&s.concurrency, o.concurrency)
	replace(&s.queue, o.queue)
	replace(&s.background, o.background)
	replace(&s.protocol, o.protocol)
	replace(&s.isolation, o.isolation)
	s.jobSettings.override(o.jobSettings)
	s.includedFiles = append(s.includedFiles, o.includedFiles...)
	if o.env != nil {
		s.env = join(s.env, o.env)
	}
	if o.allowHosts != nil {
		s.allowHosts = join(s.allowHosts, o.allowHosts)
	}
}

func replace[T any](value **T, by *T) {
	if by != nil {
		*value = by
	}
}

func set[T any](value, to *T) {
	if to != nil {
		*value = *to
	}
}
