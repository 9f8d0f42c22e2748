package cli

import (
	"os"
	"runtime"
)

// compileCommand is how this binary runs itself to compile a module apart. It is
// no command for people.
const compileCommand = "__compile"

// compiler is the command line of this very binary, also when its file has been
// replaced meanwhile.
func compiler() []string {
	if runtime.GOOS == "linux" {
		return []string{"/proc/self/exe", compileCommand}
	}
	path, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{path, compileCommand}
}
