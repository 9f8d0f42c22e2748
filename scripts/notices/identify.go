package main

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode"
)

// allowed are the licences that may be linked into a binary under Apache-2.0
// with no more to do than to show their text.
var allowed = []string{"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT", "public domain"}

// beside are files named like a licence that a person has read: they say nothing
// of what is linked, or nothing that no other file says.
var beside = []struct{ module, file string }{
	{"modernc.org/memory", "LICENSE-LOGO"},         // of a picture
	{"modernc.org/sqlite", "LICENSE-3RD-PARTY.md"}, // an inventory, of its tests and tools too; each module linked has its own
}

// marks are words that only the named licence has. Texts are compared as
// letters and digits in lower case, so marks are written so.
var marks = []struct{ license, words string }{
	{"Apache-2.0", "apache license version 2 0"},
	{"MIT", "permission is hereby granted free of charge to any person obtaining a copy of this software and associated documentation files"},
	{"ISC", "with or without fee is hereby granted provided that the above copyright notice and this permission notice appear in all copies"},
	{"0BSD", "permission to use copy modify and or distribute this software for any purpose with or without fee is hereby granted the software is provided"},
	{"public domain", "all of the code and documentation in sqlite has been dedicated to the public domain"},
	// Not allowed. They are named to be refused where they stand beside one that is.
	{"BSD-4-Clause", "all advertising materials mentioning features or use of this software must display"},
	{"GPL", "gnu general public license"},
	{"LGPL", "gnu lesser general public license"},
	{"AGPL", "gnu affero general public license"},
	{"MPL", "mozilla public license"},
	{"EPL", "eclipse public license"},
	{"CDDL", "common development and distribution license"},
	{"SSPL", "server side public license"},
	{"BUSL", "business source license"},
	{"Elastic", "elastic license"},
	{"Commons Clause", "commons clause"},
	{"Creative Commons", "creative commons"},
}

// The two BSD licences differ by a clause.
const (
	bsd       = "redistribution and use in source and binary forms"
	bsdClause = "neither the name"
)

var errUnknown = errors.New("its licence is not recognised: read it, then add a mark to scripts/notices/identify.go, or do without the library")

// identify returns the licences that a text holds, or an error if it holds none
// that is known or one that is not allowed.
func identify(text string) (licenses []string, err error) {
	words := normal(text)
	for _, mark := range marks {
		if strings.Contains(words, mark.words) {
			licenses = append(licenses, mark.license)
		}
	}
	texts, clauses := strings.Count(words, bsd), strings.Count(words, bsdClause)
	if texts > 0 && clauses > 0 {
		licenses = append(licenses, "BSD-3-Clause")
	}
	if texts > clauses {
		licenses = append(licenses, "BSD-2-Clause")
	}
	if len(licenses) == 0 {
		return nil, errUnknown
	}
	for _, license := range licenses {
		if !slices.Contains(allowed, license) {
			return nil, fmt.Errorf("%s is not on the list of allowed licences (%s): do without the library", license, strings.Join(allowed, ", "))
		}
	}
	return licenses, nil
}

// normal keeps the words of a text, in lower case, with one space between them.
func normal(text string) string {
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r)
	})
	return strings.Join(words, " ")
}

// isLicense reports whether a file is named like a licence. Source is not one,
// whatever its name.
func isLicense(name string) bool {
	return hasPrefix(name, "license", "licence", "copying") && path.Ext(name) != ".go"
}

// isBeside reports whether a file of a module was read and is none of ours to judge.
func isBeside(module, name string) bool {
	return slices.ContainsFunc(beside, func(b struct{ module, file string }) bool {
		return b.module == module && b.file == name
	})
}

// isNotice reports whether a file goes with a licence: an attribution that must
// be passed on, or a grant of patents.
func isNotice(name string) bool {
	return hasPrefix(name, "notice", "patents") && path.Ext(name) != ".go"
}

func hasPrefix(name string, prefixes ...string) bool {
	name = strings.ToLower(path.Base(name))
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
