package main

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

const (
	mit  = "Permission is hereby granted, free of charge, to any person obtaining a copy\nof this software and associated documentation files (the \"Software\"), to deal"
	bsd2 = "Redistribution and use in source and binary forms, with or without modification"
	bsd3 = bsd2 + "\n  * Neither the name of the authors nor"
)

func TestIdentify(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want string // "" for an error
	}{
		"a known text": {mit, "MIT"},
		"comment signs and line breaks are nothing": {"// " + strings.ReplaceAll(mit, "\n", "\n// "), "MIT"},
		"the third clause of BSD":                   {bsd3, "BSD-3-Clause"},
		"BSD without it":                            {bsd2, "BSD-2-Clause"},
		"both in one file":                          {bsd3 + "\n" + bsd2, "BSD-3-Clause BSD-2-Clause"},
		"two licences in one file":                  {mit + "\nApache License\nVersion 2.0, January 2004", "Apache-2.0 MIT"},
		"nothing at all":                            {"", ""},
		"an unknown text":                           {"You may look but not touch.", ""},
		"a licence that is not allowed":             {"GNU GENERAL PUBLIC LICENSE Version 3", ""},
		"one beside an allowed one":                 {mit + "\nThis part: Mozilla Public License, v. 2.0.", ""},
		"BSD with the advertising clause":           {bsd3 + "\nAll advertising materials mentioning features or use of this\nsoftware must display", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := identify(test.text)
			if (err != nil) != (test.want == "") || err == nil && strings.Join(got, " ") != test.want {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestIdentifyOurOwn(t *testing.T) {
	text, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := identify(string(text)); !slices.Equal(got, []string{"Apache-2.0"}) {
		t.Errorf("LICENSE: got %q, %v, want Apache-2.0", got, err)
	}
}

func TestWhatWasReadIsReadForOneModule(t *testing.T) {
	files := []file{{"LICENSE", mit}, {"LICENSE-LOGO", "https://example.com/logo.png"}}
	if got, err := (work{"modernc.org/memory", "v1.0.0", files}).license(); err != nil || got != "MIT" {
		t.Errorf("got %q, %v, want MIT", got, err)
	}
	if got, err := (work{"example.com/memory", "v1.0.0", files}).license(); err == nil {
		t.Errorf("another module: got %q, want an error", got)
	}
}

func TestRefusalsNameTheWork(t *testing.T) {
	for name, w := range map[string]work{
		"no licence file":   {"example.com/pad", "v1.0.0", []file{{"NOTICE", mit}}},
		"unknown licence":   {"example.com/pad", "v1.0.0", []file{{"LICENSE", "as you like it"}}},
		"forbidden licence": {"example.com/pad", "v1.0.0", []file{{"COPYING", "GNU Affero General Public License"}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := render([]work{w})
			if err == nil || !strings.Contains(err.Error(), "example.com/pad v1.0.0") {
				t.Errorf("got %v, want an error that names the module", err)
			}
		})
	}
}

func TestRenderPrintsEachTextOnce(t *testing.T) {
	got, err := render([]work{
		{"example.com/a", "v1.0.0", []file{{"LICENSE", mit + "\n"}}},
		{"example.com/b", "v2.0.0", []file{{"LICENSE", mit + "\n"}, {"NOTICE", "b is by B.\n"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for text, times := range map[string]int{
		"example.com/b v2.0.0: MIT\n":                                    1,
		"example.com/a v1.0.0, LICENSE\nexample.com/b v2.0.0, LICENSE\n": 1,
		mit:            1,
		"b is by B.\n": 1,
	} {
		if n := strings.Count(got, text); n != times {
			t.Errorf("%q stands there %d times, want %d", text, n, times)
		}
	}
}

func TestCheckFailsOnStaleFile(t *testing.T) {
	path := t.TempDir() + "/NOTICES"
	if err := run(path, true, []string{"fmt"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: got %v, want %v", err, os.ErrNotExist)
	}
	if err := run(path, false, []string{"fmt"}); err != nil {
		t.Fatal(err)
	}
	if err := run(path, true, []string{"fmt"}); err != nil {
		t.Errorf("fresh file: got %v, want none", err)
	}
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(path, true, []string{"fmt"}); err == nil || !strings.Contains(err.Error(), "make notices") {
		t.Errorf("stale file: got %v, want one that says make notices", err)
	}
}
