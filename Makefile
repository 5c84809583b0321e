# Everything a person or CI calls. `make demo` shows the product; `make test` runs every test.
SHELL := /bin/bash
GO ?= go
BIN := bin/blossomtune
ASSETS := internal/web/assets
TOOL := $(GO) tool -modfile=tools/go.mod

.PHONY: demo build assets setup check test lint cross generate bench bench-rounds bench-load soak fuzz flwr-diff hooks dist dist-check deploy-check clean

## demo: build, then a whole federation on this machine (ARGS=--exit ends when its run has ended)
demo: build
	@$(BIN) demo $(ARGS)

## build: bin/blossomtune, with the pages' assets inside
build: assets
	@mkdir -p bin
	$(GO) build -trimpath -ldflags='-X main.version=$(shell scripts/version.sh)' -o $(BIN) ./cmd/blossomtune

## assets: style sheets and scripts, from npm, bundled by esbuild; nothing happens when they are up to date
assets: $(ASSETS)/dist/manifest.json

$(ASSETS)/node_modules/.installed: $(ASSETS)/package.json $(ASSETS)/package-lock.json
	cd $(ASSETS) && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

$(ASSETS)/dist/manifest.json: $(ASSETS)/node_modules/.installed $(wildcard $(ASSETS)/*.mjs) $(shell find $(ASSETS)/src -type f 2>/dev/null)
	cd $(ASSETS) && node build.mjs

## setup: install the programs that the tests need (Debian, Ubuntu)
setup:
	./scripts/setup.sh

## check: lint, and the tests that start no real engine
check: assets
	./scripts/check.sh

## test: all tests: Go (with a real flwr, PostgreSQL, SMTP and browser) and the Python apps. Installs what it needs
test:
	./scripts/setup.sh
	$(MAKE) build
	./scripts/test.sh

## lint: golangci-lint with the import rules, eslint and the tests of the scripts, and a check that generated code is current
lint:
	./scripts/lint.sh

## cross: what participants run elsewhere builds there, tests included: macOS whole, Windows the program
cross: assets
	GOOS=darwin GOARCH=arm64 $(GO) vet ./...
	GOOS=windows GOARCH=amd64 CGO_ENABLED=0 $(GO) build -o /dev/null ./cmd/blossomtune
	GOOS=windows GOARCH=amd64 CGO_ENABLED=0 $(GO) build -tags participant -o /dev/null ./cmd/blossomtune
	$(GO) vet -tags participant ./cmd/blossomtune

## generate: templ and protobuf code
generate:
	$(GO) generate ./...

## bench: the benchmarks behind the claims in docs/performance.md
bench: build bench-rounds
	$(GO) test -run '^$$' -bench . -skip '^Benchmark(Rounds|Containment|Soak|Load)$$' -benchtime 2s -timeout 60m ./...

## bench-rounds: the part of it about rounds: plain Flower, this server with plain SuperNodes, with agents, with and without a sandbox (REPEATS=5; an hour)
bench-rounds: build
	BLOSSOMTUNE_BENCH_REPEATS=$(or $(REPEATS),5) $(GO) test -run '^$$' -bench '^Benchmark(Rounds|Containment)$$' -benchtime 1x -timeout 120m ./e2e

## bench-load: idle SuperNodes of the load generator, then phases with all of them (NODES=300, SECONDS=60, PHASES=2, CURVE=p256, AS=agents, RESTART=1)
bench-load: build
	BLOSSOMTUNE_LOAD_NODES=$(or $(NODES),300) BLOSSOMTUNE_LOAD_SECONDS=$(or $(SECONDS),60) BLOSSOMTUNE_LOAD_PHASES=$(or $(PHASES),2) BLOSSOMTUNE_LOAD_CURVE=$(or $(CURVE),p256) BLOSSOMTUNE_LOAD_AS=$(AS) BLOSSOMTUNE_LOAD_RESTART=$(RESTART) $(GO) test -run '^$$' -bench '^BenchmarkLoad$$' -benchtime 1x -timeout 120m ./e2e

## soak: ten minutes of runs, strangers and kills; fails when memory, goroutines, threads or descriptors grow (MINUTES=10)
soak: build
	BLOSSOMTUNE_SOAK_MINUTES=$(or $(MINUTES),10) $(GO) test -run '^$$' -bench '^BenchmarkSoak$$' -benchtime 1x -timeout 60m ./e2e

## fuzz: every fuzz target in turn, so many inputs each (FUZZTIME=1000000x, or a time such as 60s)
fuzz: assets
	./scripts/fuzz.sh $(or $(FUZZTIME),1000000x)

## flwr-diff: what another release of flwr adds to, takes from or changes in the calls and messages that we know (FLWR=1.43.0)
flwr-diff:
	@BLOSSOMTUNE_TEST_FLWR=$(or $(FLWR),$(error FLWR=X.Y.Z is needed)) $(GO) test ./internal/flower/wire -count=1 -v \
	  -run '^Test(MessagesAreFlwrs|NothingOfFlwrIsNew|ErrorCodesAreFlwrs|EveryErrorOfFlwr)$$'

## hooks: install the git hooks (lefthook, from npm; the same commands as CI)
hooks:
	npx --yes lefthook@2.2.2 install

## dist: release binaries in dist/, and in dist/downloads/ the participant's programs that a server hands out
dist: assets
	./scripts/dist.sh

## dist-check: two builds of this commit are the same, byte for byte (PLATFORMS=linux/amd64 SERVERS= for less)
dist-check: assets
	./scripts/dist-check.sh

## deploy-check: install the Debian package into a throw-away system with its own systemd, run the service within its limits, remove it
deploy-check: build
	./scripts/deploy-check.sh

clean:
	rm -rf bin dist $(ASSETS)/node_modules
	find $(ASSETS)/dist -type f ! -name .gitkeep -delete
