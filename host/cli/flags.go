package cli

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/cloche-run/cloche/host"
)

// siteFlags say which site is meant and where its data is.
type siteFlags struct {
	dir     string
	data    string
	admin   string
	context string
	envFile string
	env     []string
	limits  limitFlags
}

func (f *siteFlags) add(cmd *cobra.Command) {
	f.addAs(cmd, "data")
}

// addAs is add for a command that needs the name --data for something else.
func (f *siteFlags) addAs(cmd *cobra.Command, dataFlag string) {
	flags := cmd.Flags()
	flags.StringVar(&f.data, dataFlag, "", "directory for jobs, compiled code, logs, usage and the admin token (default SITE_DIR/.cloche)")
	flags.StringVar(&f.admin, "admin", "", "address of the admin API, health and metrics (default that of the running server, or "+host.DefaultAdmin+")")
	flags.StringVar(&f.context, "context", "", "deploy context of netlify.toml: production, dev, or a branch name")
	flags.StringVar(&f.envFile, "env-file", "", "file of NAME=value lines that functions see; mode 0600")
	flags.StringSliceVar(&f.env, "env", nil, "name of a variable of this machine that functions see; repeat or separate by commas")
}

// at takes the site directory from the arguments.
func (f *siteFlags) at(args []string) error {
	f.dir = "."
	if len(args) > 0 {
		f.dir = args[0]
	}
	dir, err := filepath.Abs(f.dir)
	if err != nil {
		return err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return fmt.Errorf("%s is no directory: name the directory of a site, the one with netlify.toml in it", dir)
	}
	f.dir = dir
	if f.data == "" {
		f.data = filepath.Join(dir, ".cloche")
	}
	return nil
}

func (f *siteFlags) options() (host.Options, error) {
	o := host.Options{Dir: f.dir, Data: f.data, Context: f.context, EnvFile: f.envFile, Env: f.env, Version: version, Compiler: compiler()}
	err := f.limits.options(&o)
	return o, err
}

// serveFlags are those of serve and dev.
type serveFlags struct {
	siteFlags
	addr        string
	memory      size
	logSize     size
	concurrency int
	queue       int
	jobs        int
	jobSize     size
	timeScale   float64
	drain       time.Duration
	hosts       []string
	adminHosts  []string
	proxies     []string
	connections int
	perIP       int
	verbose     bool
}

func (f *serveFlags) add(cmd *cobra.Command) {
	f.siteFlags.add(cmd)
	f.limits.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.addr, "addr", host.DefaultAddr, "address to serve on")
	flags.Var(&f.memory, "memory-budget", "memory of all guests together; 503 beyond it (default three quarters of the machine's)")
	flags.IntVar(&f.concurrency, "concurrency", host.DefaultConcurrency, "invocations of all functions that run at once")
	flags.IntVar(&f.queue, "queue", host.DefaultQueue, "invocations that wait beyond that; 503 beyond both")
	flags.IntVar(&f.jobs, "job-concurrency", host.DefaultJobConcurrency, "jobs that run at once, of all functions and besides --concurrency")
	flags.Var(&f.jobSize, "job-size", "disk space of jobs that have not ended; 503 beyond it (default 1gb)")
	flags.DurationVar(&f.drain, "drain", host.DefaultDrain, "time that running requests and jobs get at shutdown; such jobs run again")
	flags.StringSliceVar(&f.hosts, "host", nil, "Host name to answer, 421 for others; repeat or separate by commas (default all)")
	flags.StringSliceVar(&f.adminHosts, "admin-host", nil, "Host name by which the admin API may be called besides its address")
	flags.StringSliceVar(&f.proxies, "trusted-proxy", nil, "address or prefix of a proxy whose X-Forwarded-* are believed; repeat or separate by commas")
	flags.IntVar(&f.connections, "connections", 4096, "connections that may be open at once")
	flags.IntVar(&f.perIP, "connections-per-ip", 256, "connections of one address, 0 for no limit; never for loopback and trusted proxies")
	flags.Var(&f.logSize, "log-size", "size of the log kept in the data directory; the oldest goes first (default 64mb)")
	flags.BoolVar(&f.verbose, "verbose", false, "print every request, not only what went wrong")
}

func (f *serveFlags) options(dev bool) (host.Options, error) {
	o, err := f.siteFlags.options()
	if err != nil {
		return o, err
	}
	o.Dev = dev
	o.MemoryBudget, o.LogBytes = int64(f.memory), int64(f.logSize)
	o.Concurrency, o.Queue, o.Drain = f.concurrency, f.queue, f.drain
	o.JobConcurrency, o.JobBytes, o.TimeScale = f.jobs, int64(f.jobSize), f.timeScale
	o.AdminHosts = f.adminHosts
	o.Front.Hosts, o.Front.Connections, o.Front.MaxConnsPerIP = f.hosts, f.connections, f.perIP
	for name, least := range map[string]struct{ value, min int }{
		"concurrency": {f.concurrency, 1}, "queue": {f.queue, 0}, "connections": {f.connections, 1}, "job-concurrency": {f.jobs, 1},
		"connections-per-ip": {f.perIP, 0}, "drain": {int(f.drain), 0},
	} {
		if least.value < least.min {
			return o, &usageError{fmt.Errorf("--%s must be at least %d", name, least.min)}
		}
	}
	if dev && !(f.timeScale >= 0.001 && f.timeScale <= 1e6) {
		return o, &usageError{fmt.Errorf("--time-scale %v: write a number from 0.001 to 1000000, such as 60", f.timeScale)}
	}
	o.Queue, o.Drain = orNone(f.queue), orNone(f.drain)
	o.Front.MaxConnsPerIP = orNone(f.perIP)
	for _, name := range append(f.hosts, f.adminHosts...) {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]") != "" || name == "" {
			return o, &usageError{fmt.Errorf("%q is no host name: write one such as example.com", name)}
		}
	}
	for _, proxy := range f.proxies {
		prefix, err := parsePrefix(proxy)
		if err != nil {
			return o, &usageError{fmt.Errorf("--trusted-proxy %q: write an address or a prefix such as 10.0.0.0/8", proxy)}
		}
		o.Front.TrustedProxies = append(o.Front.TrustedProxies, prefix)
	}
	level := slog.LevelWarn
	if dev || f.verbose {
		level = slog.LevelInfo
	}
	o.Log = newConsole(os.Stderr, level)
	return o, nil
}

// orNone turns 0, which means the default where options are zero, into "none".
func orNone[T ~int | ~int64](n T) T {
	if n == 0 {
		return -1
	}
	return n
}

func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	return netip.ParsePrefix(text)
}
