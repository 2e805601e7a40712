# gleaner: `make run` shows it at work, `make test` tests it, `make help` lists the rest.
#
# Both work on a fresh Debian 12 with Go and nothing else; what they need is installed or fetched by setup/setup.sh.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Debian keeps the broker that the tests start in /usr/sbin.
export PATH := $(PATH):/usr/sbin

PREFIX ?= /usr/local
DESTDIR ?=
# Passed on to the program by `make run`, such as ARGS='--for 30s'.
ARGS ?=
# What make run shows, and of what.
DEMO ?= belt
SOURCE ?=
# One proof or a few of them, by the start of their names, such as ONE=1-conveyor.
ONE ?=
# How long each fuzz target runs in `make fuzz`.
FUZZTIME ?= 10s

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
# The built program finds the TensorFlow Lite library beside itself: installed, or in this checkout.
RPATH := -Wl,-rpath,\$$ORIGIN/../lib/gleaner -Wl,-rpath,\$$ORIGIN/../.native/lib
BUILDFLAGS := -trimpath -buildvcs=false -ldflags "-X main.version=$(VERSION) -extldflags '$(RPATH)'"
WITH_NATIVE := . .native/env.sh &&
STATICCHECK := go tool -modfile=setup/tools.mod staticcheck

.PHONY: help run build setup setup-test setup-prove test check test-pure test-race test-service test-mats test-real bench bench-train bench-cuda fuzz prove install clean

help: ## List what can be made.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

run: build ## Set up, build, and show a demo: DEMO=belt, masks or recycling; SOURCE= a camera, clip or folder. ARGS='…' goes to gleaner.
	bin/gleaner run --demo=$(DEMO) $(if $(SOURCE),--source='$(SOURCE)') $(ARGS)

build: setup ## Set up and build bin/gleaner.
	$(WITH_NATIVE) go build $(BUILDFLAGS) -o bin/gleaner ./cmd/gleaner

setup: ## Install the Debian packages, fetch and verify the native runtime and the models.
	@setup/setup.sh

setup-test: ## The same, with what the tests need.
	@setup/setup.sh test

setup-prove:
	@setup/setup.sh prove

test: setup-test check test-pure test-race test-service test-mats test-real ## All checks and tests, in every build.

check: setup ## gofmt, go vet and staticcheck, in both builds.
	@echo "== gofmt, go vet, staticcheck"
	@unformatted="$$(gofmt -l .)"; [ -z "$$unformatted" ] || { echo "not formatted as gofmt does it:" $$unformatted; exit 1; }
	@$(WITH_NATIVE) go vet ./...
	@CGO_ENABLED=0 go vet ./...
	@$(WITH_NATIVE) $(STATICCHECK) ./...
	@CGO_ENABLED=0 $(STATICCHECK) ./...

test-pure: ## The tests without cgo: they pass on any machine with Go.
	@echo "== tests, CGO_ENABLED=0"
	@CGO_ENABLED=0 go test ./...

test-race: ## The tests under the race detector, without the native libraries; long scenes are left to the real build.
	@echo "== tests, -race -tags nonative"
	@go test -race -short -tags nonative ./...

test-service: build setup-test ## The service as it is installed, as systemd-analyze sees it.
	@echo "== the installed service"
	@bash prove/1-service.sh

test-mats: setup-test ## The packages that hold OpenCV's Mats, counting them.
	@echo "== tests, -tags matprofile"
	@$(WITH_NATIVE) go test -short -tags matprofile ./capture/cv/... ./detect/cv/...

# The packages whose tests link a native library: the others were tested twice already, and would do the same again.
NATIVE_PACKAGES = go list -test -f '{{.ImportPath}} {{join .Deps " "}}' ./... | \
	awk '$$1 ~ /\.test$$/ && / (gocv\.io\/x\/gocv|github\.com\/mattn\/go-tflite|github\.com\/gomlx\/go-xla\/pkg\/pjrt|gleaner\/train\/engine\/onednn)( |$$)/ {sub(/\.test$$/, "", $$1); print $$1}'

test-real: setup-test ## The tests of everything that touches a native library, in the real build.
	@echo "== tests, the real build"
	@$(WITH_NATIVE) packages="$$($(NATIVE_PACKAGES))"; go test $$packages

bench: setup-test build ## Measure the pipeline against a bare C++ loop of the same native calls, into BENCHMARKS.md.
	bin/gleaner models pull ssd-oidv4 garments
	$(WITH_NATIVE) go run ./bench/pipeline

bench-train: setup ## Measure training on the CPU against a bare C++ loop and PyTorch (if installed), into BENCHMARKS.md.
	$(WITH_NATIVE) go run ./bench/train

bench-cuda: ## On a CUDA machine: train ResNet-50 beside PyTorch, into BENCHMARKS.md. Without a card it says so and exits with 2.
	go build -o bin/bench-cuda ./bench/cuda
	bin/bench-cuda

fuzz: setup ## Fuzz every parser of outside data for a short while: FUZZTIME=10s each.
	@$(WITH_NATIVE) git grep -l '^func Fuzz' -- '*_test.go' | while read -r file; do \
		sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file" | while read -r target; do \
			echo "== $$(dirname "$$file") $$target"; \
			go test "./$$(dirname "$$file")" -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) </dev/null; \
		done; \
	done

prove: setup-prove build ## Run the proofs and write PROVEN.md. ONE=1-conveyor runs those whose names begin so.
	@$(WITH_NATIVE) go run ./prove $(ONE)

install: build ## Install below PREFIX (/usr/local), with the service; DESTDIR stages it.
	@DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' setup/install.sh

clean: ## Remove what was built. What was fetched stays: delete .native to be rid of it.
	rm -rf bin .ci/out
