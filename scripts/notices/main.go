// Command notices writes the licences of everything that is linked into the
// cloche binary, or checks that the file which says so is up to date.
//
//	notices [-check] [-o FILE] [PACKAGE]
//
// PACKAGE is "." by default, the main package.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
)

func main() {
	check := flag.Bool("check", false, "fail if FILE is not up to date, write nothing")
	file := flag.String("o", "THIRD_PARTY_NOTICES", "the `FILE` to write or check")
	flag.Parse()
	packages := flag.Args()
	if len(packages) == 0 {
		packages = []string{"."}
	}
	if err := run(*file, *check, packages); err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

func run(file string, check bool, packages []string) error {
	works, err := linked(packages)
	if err != nil {
		return err
	}
	want, err := render(works)
	if err != nil {
		return err
	}
	if !check {
		return os.WriteFile(file, []byte(want), 0o644)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if string(got) != want {
		return fmt.Errorf("%s is not up to date: run make notices and commit it", file)
	}
	return nil
}

// render returns the whole file: a list of the works, then each text once,
// headed by the works that came with it.
func render(works []work) (string, error) {
	var list, texts strings.Builder
	printed := map[string]bool{}
	for _, w := range works {
		license, err := w.license()
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&list, "%s: %s\n", w, license)
		for _, f := range w.files {
			if printed[f.text] {
				continue
			}
			printed[f.text] = true
			fmt.Fprintf(&texts, "\n%s\n%s\n\n%s", strings.Repeat("=", 80), strings.Join(holders(works, f.text), "\n"), f.text)
		}
	}
	return "The cloche binary contains the works listed here, each under its own licence.\n" +
		"Their licence texts and notices follow the list.\n\n" + list.String() + texts.String(), nil
}

// holders names every file of every work that holds text.
func holders(works []work, text string) (names []string) {
	for _, w := range works {
		for _, f := range w.files {
			if f.text == text {
				names = append(names, fmt.Sprintf("%s, %s", w, f.name))
			}
		}
	}
	return names
}
