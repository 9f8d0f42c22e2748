// Cloche runs Netlify Functions on your own machine, every function a
// WebAssembly guest.
package main

import (
	_ "embed"
	"os"

	"github.com/cloche-run/cloche/host/cli"
)

//go:embed THIRD_PARTY_NOTICES
var notices string

func main() { os.Exit(cli.Main(notices)) }
