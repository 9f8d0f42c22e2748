package host

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/joho/godotenv"

	"github.com/cloche-run/cloche/host/config"
	"github.com/cloche-run/cloche/runtime"
)

// siteVariables are what functions may see of the environment; later ones win:
// [build.environment] (in dev, as Netlify does), the contexts of netlify.toml,
// .env (in dev), --env-file, and the host's own by name only.
func (h *Host) siteVariables(cfg *config.Config) (map[string]string, error) {
	variables := map[string]string{}
	if h.options.Dev {
		maps.Copy(variables, cfg.BuildEnvironment)
	}
	maps.Copy(variables, cfg.Environment)
	if h.options.Dev {
		file := filepath.Join(cfg.Root, ".env")
		if _, err := os.Lstat(file); err == nil {
			if err := readEnvFile(variables, file); err != nil {
				return nil, err
			}
		}
	}
	if file := h.options.EnvFile; file != "" {
		if err := checkPrivate(file); err != nil {
			return nil, err
		}
		if err := readEnvFile(variables, file); err != nil {
			return nil, err
		}
	}
	for _, name := range h.options.Env {
		value, ok := os.LookupEnv(name)
		if !ok {
			return nil, fmt.Errorf("--env %s: the host has no such variable: set it, or drop the flag", name)
		}
		variables[name] = value
	}
	return variables, nil
}

func readEnvFile(variables map[string]string, file string) error {
	read, err := godotenv.Read(file)
	if err != nil {
		return fmt.Errorf("%s: %w: write one NAME=value a line", file, err)
	}
	for name, value := range read {
		if err := config.CheckVariable(name, value); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	maps.Copy(variables, read)
	return nil
}

// checkPrivate refuses a file of secrets that others can read.
func checkPrivate(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("--env-file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("--env-file %s can be read by others (mode %04o): chmod 600 it", file, info.Mode().Perm())
	}
	return nil
}

// granted picks the variables that a function's `env` names, sorted; nil names all.
func granted(variables map[string]string, names []string) (list []runtime.Variable) {
	for _, name := range slices.Sorted(maps.Keys(variables)) {
		if names == nil || slices.Contains(names, name) {
			list = append(list, runtime.Variable{Name: name, Value: variables[name]})
		}
	}
	return list
}
