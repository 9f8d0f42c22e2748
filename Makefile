# What can be made: `make help`. Two targets set everything up: demo and test.

BIN         = bin/cloche
MODULES     = . sdk/go examples/polyglot/src/go examples/hello-background/src
FUZZTIME    = 1m
CRASH       = 200
BENCH       = .
GOFUMPT     = mvdan.cc/gofumpt@v0.12.0
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

# TESTS is go test with the tests that were skipped, why, and how many there were.
TESTS = $$(go -C $(CURDIR)/scripts/tools tool -n gotestsum) --format pkgname-and-test-fails --

# The commit in a checkout, "devel" in an unpacked archive.
VERSION = $(shell test -e .git && git describe --always --dirty 2>/dev/null || echo devel)
LDFLAGS = -s -w -X github.com/cloche-run/cloche/host/cli.version=$(VERSION)

.PHONY: help demo test build examples guests bench fuzz crash corpus attack leak soak lint notices notices-check deps clean

help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-15s%s\n", $$1, $$2 }' Makefile

demo: deps build guests ## Serve the examples; DEMO_CHECK=1 asks each one once and ends
	@scripts/demo $(BIN)

test: deps guests ## Run all tests
	@for m in $(MODULES); do echo "tests in $$m"; (cd $$m && $(TESTS) -skip '^TestAttacks$$' ./...) || exit 1; done
	$(TESTS) -run '^TestAttacks$$' ./host # alone: it judges times

build: ## Build bin/cloche: one static binary (GOOS and GOARCH choose another system)
	CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) .
	@wc -c < $(BIN) | awk '{ printf "$(BIN): %.1f MB\n", $$1 / 1e6 }'

examples: ## Rebuild every guest of the examples, the committed ones too
	sh examples/build.sh

guests: # Build those that are not committed, if missing or stale
	@sh examples/build.sh go

bench: guests ## Run the benchmarks; BENCH=REGEXP chooses some
	go test -run '^$$' -bench '$(BENCH)' -benchmem ./...

fuzz: ## Fuzz every target for FUZZTIME (1m) each
	scripts/fuzz $(FUZZTIME)

crash: ## Crash the ledger CRASH (200) times in each way; as root in all ways
	scripts/crash $(CRASH)

attack: ## Deploy and call every hostile module of host/attack_test.go
	CLOCHE_ATTACK=all go test -count=1 -v -run '^TestAttacks$$' ./host

leak: ## Look for what one request leaves for the next: LEAK=N (10000) requests a guest
	LEAK=$(or $(LEAK),10000) go test -count=1 -v -timeout 2h -run 'Request|Reuse|State|Random' ./runtime/leak

soak: ## Send SOAK=N (1000000) requests to all kinds of guests; what the process holds stays flat
	SOAK=$(or $(SOAK),1000000) go test -count=1 -v -timeout 12h -run '^TestSoak$$' ./runtime/leak

corpus: ## Fetch real modules and show how near they come to the caps
	@scripts/corpus
	go test -count=1 -v -run '^TestCorpus$$' ./runtime/wasm

lint: ## Check the format, go vet and staticcheck
	@files=$$(go run $(GOFUMPT) -l .) || exit 1; test -z "$$files" || \
		{ printf 'not formatted (go run $(GOFUMPT) -w .):\n%s\n' "$$files"; exit 1; }
	@for m in $(MODULES); do echo "go -C $$m vet ./..."; go -C $$m vet ./... || exit 1; done
	@for m in $(MODULES); do echo "staticcheck in $$m"; (cd $$m && go run $(STATICCHECK) ./...) || exit 1; done

notices: ## Write THIRD_PARTY_NOTICES from what the binary links
	go run ./scripts/notices

notices-check: ## Fail if THIRD_PARTY_NOTICES is stale or a licence is not allowed
	go run ./scripts/notices -check

deps: ## Install what is missing of make, gcc and npm; silent if nothing is
	@scripts/deps

clean: ## Remove what was built
	rm -rf bin
