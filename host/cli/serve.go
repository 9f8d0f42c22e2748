package cli

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cloche-run/cloche/host"
)

func newServe() *cobra.Command {
	var flags serveFlags
	cmd := &cobra.Command{
		Use:   "serve [SITE_DIR]",
		Short: "Serve a site in production",
		Long: `Serve the functions of SITE_DIR (default: the current directory).

SITE_DIR/netlify.toml is optional; functions are NAME.wasm in netlify/functions,
or wherever it says. SIGHUP reads the site anew and loses no request; SIGTERM
lets running requests end. Every flag can be set in the environment as well:
CLOCHE_ADDR for --addr.`,
		Example: `  cloche serve ./my-site --addr 0.0.0.0:80 --host example.com
  curl http://127.0.0.1:8888/.netlify/functions/hello`,
		Args: atMost(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runServer(cmd, args, &flags, false) },
	}
	flags.add(cmd)
	return cmd
}

func newDev() *cobra.Command {
	var flags serveFlags
	cmd := &cobra.Command{
		Use:   "dev [SITE_DIR]",
		Short: "Serve a site while you work on it",
		Long: `Serve the functions of SITE_DIR (default: the current directory) as serve does,
and besides: read the site anew when a file changes, tell clients what went
wrong, print every request, give functions the variables of SITE_DIR/.env, and
take other ports if the default ones are taken.`,
		Example: `  cloche dev ./my-site`,
		Args:    atMost(1),
		RunE:    func(cmd *cobra.Command, args []string) error { return runServer(cmd, args, &flags, true) },
	}
	flags.add(cmd)
	cmd.Flags().Float64Var(&flags.timeScale, "time-scale", 1, "divide the waits between attempts of a job by this: 60 makes a minute a second")
	return cmd
}

func runServer(cmd *cobra.Command, args []string, flags *serveFlags, dev bool) error {
	if err := flags.at(args); err != nil {
		return err
	}
	if dev && flags.context == "" {
		flags.context = "dev"
	}
	options, err := flags.options(dev)
	if err != nil {
		return err
	}
	anyPort := func(name string) bool { return dev && !cmd.Flags().Changed(name) }
	public, err := listen(flags.addr, "--addr", anyPort("addr"))
	if err != nil {
		return err
	}
	defer public.Close()
	if flags.admin == "" {
		flags.admin = host.DefaultAdmin
	}
	private, err := listen(flags.admin, "--admin", anyPort("admin"))
	if err != nil {
		return err
	}
	defer private.Close()

	ctx := cmd.Context()
	h, err := host.Open(ctx, options)
	if err != nil {
		return err
	}
	greet(cmd, h, public.Addr(), private.Addr())
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	return errors.Join(h.Run(ctx, public, private, hangups), h.Close())
}

// listen takes the address, or, if any will do and this one is taken, a free port.
func listen(addr, flag string, anyPort bool) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) && anyPort {
		host, _, _ := net.SplitHostPort(addr)
		ln, err = net.Listen("tcp", net.JoinHostPort(host, "0"))
	}
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken: stop what listens there, or choose another with %s (port 0 takes any)", addr, flag)
	}
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", flag, addr, err)
	}
	return ln, nil
}

// greet prints where the site is. The first line is for programs too.
func greet(cmd *cobra.Command, h *host.Host, public, private net.Addr) {
	out := cmd.OutOrStdout()
	base := "http://" + public.String()
	fmt.Fprintf(out, "listening on %s\n", base)
	fmt.Fprintf(out, "admin on http://%s\n\n", private)
	broken := 0
	for i, f := range h.Functions() {
		switch {
		case f.Error != "":
			broken++
		case i-broken < 3:
			fmt.Fprintf(out, "  %s\n", paint(os.Stdout, bold, base+f.Route))
		}
	}
	if n := len(h.Functions()); n == 1 {
		fmt.Fprint(out, "\n1 function")
	} else {
		fmt.Fprintf(out, "\n%d functions", n)
	}
	if broken > 0 {
		fmt.Fprintf(out, ", %s", paint(os.Stdout, red, fmt.Sprintf("%d not loaded", broken)))
	}
	fmt.Fprint(out, "; see all with `cloche functions`, stop with Ctrl-C\n\n")
}
