# Everything for building, testing and measuring Drayage. `make help` lists the targets.

PREFIX ?= /usr/local
SWIFT ?= swift
# Root needs no sudo, and a container may have none.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# What drayage is built and installed with, which is all that the demo needs, and what tests and benchmark run beside it.
BUILD_PACKAGES := binutils libarchive-dev libcrypt-dev libssl-dev libyaml-dev pkg-config zlib1g-dev
TEST_PACKAGES := apache2-utils ca-certificates containerd curl docker-registry e2fsprogs gzip libarchive-tools \
	libnginx-mod-http-echo libnginx-mod-stream microsocks nginx-light openssl podman skopeo tar time tinyproxy umoci \
	xz-utils zstd

# A build of its own for each set of flags: changing flags builds everything anew. Nobody links to the command, and the
# Swift runtime looks through the 29,000 symbols that it would export each time it begins.
RELEASE := --configuration release --static-swift-stdlib --scratch-path .build-release -Xlinker --no-export-dynamic

.DEFAULT_GOAL := build
.PHONY: help build release test torture soak demo bench bench-json install sanitize fuzz format lint clean build-packages \
	test-packages

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

build: build-packages ## build the debug binary, .build/debug/drayage
	$(SWIFT) build --product drayage

release: build-packages ## build the binary that is installed; it needs no Swift runtime
	$(SWIFT) build $(RELEASE) --product drayage

test: test-packages ## build and run all tests
	SWIFT='$(SWIFT)' fixtures/test.sh

torture: export DRAYAGE_TORTURE_ROUNDS ?= 50
torture: export DRAYAGE_LOAD_SECONDS ?= 60
torture: export DRAYAGE_PRUNE_KILLS ?= 100
torture: export DRAYAGE_KILLS ?= 200
torture: test-packages ## kill servers (50 times), prunes (100), bundles and pushes (200 each), load a server (60 s)
	$(SWIFT) test --filter 'CommandTests\.((Torture|PruneTorture|Load)Tests|Interrupted)'

soak: export DRAYAGE_SOAK_SECONDS ?= 420
soak: test-packages ## bundle and push 200 images in a loop for 7 minutes, with faults at 5 % of requests and kills
	$(SWIFT) test --filter 'CommandTests\.SoakTests'

demo: build-packages ## carry real images from one registry to another, and serve them from the file
	$(SWIFT) build
	fixtures/demo.sh "$$($(SWIFT) build --show-bin-path)"

bench: test-packages ## measure a release build beside skopeo and the machine's own floors
	$(SWIFT) build $(RELEASE)
	fixtures/bench.sh "$$($(SWIFT) build $(RELEASE) --show-bin-path)"

bench-json: test-packages ## the same, as JSON
	@$(SWIFT) build $(RELEASE) >&2
	@fixtures/bench.sh "$$($(SWIFT) build $(RELEASE) --show-bin-path)" json

install: release ## install the stripped binary and the shell completions below PREFIX
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/bash-completion/completions \
		$(DESTDIR)$(PREFIX)/share/zsh/site-functions $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d
	install -s "$$($(SWIFT) build $(RELEASE) --show-bin-path)/drayage" $(DESTDIR)$(PREFIX)/bin/drayage
	cd $(DESTDIR)$(PREFIX)/share && ../bin/drayage --generate-completion-script bash \
		>bash-completion/completions/drayage
	cd $(DESTDIR)$(PREFIX)/share && ../bin/drayage --generate-completion-script zsh >zsh/site-functions/_drayage
	cd $(DESTDIR)$(PREFIX)/share && ../bin/drayage --generate-completion-script fish \
		>fish/vendor_completions.d/drayage.fish

sanitize: test-packages ## run all tests, optimised, under the thread and the address sanitizer; it takes an hour
	SWIFT='$(SWIFT)' fixtures/sanitize.sh thread
	SWIFT='$(SWIFT)' fixtures/sanitize.sh address

fuzz: build-packages ## try every reader of outside data with hostile input, 60 s each (FUZZ_SECONDS)
	fixtures/fuzz/fuzz.sh

format: ## format all Swift sources
	$(SWIFT) format --in-place --parallel --recursive Sources Tests fixtures Package.swift

lint: ## fail on anything that the formatter or the house's rules would change
	$(SWIFT) format lint --strict --parallel --recursive Sources Tests fixtures Package.swift
	! grep -rnE '(TODO|FIXME|XXX|fatalError\(|try!|@unchecked Sendable|nonisolated\(unsafe\))' Sources
	! grep -rnE '^ *(public |package )?import Foundation$$' Sources
	# Each suite that SECURITY.md names is there.
	for suite in $$(grep -oE '[A-Za-z]+Tests\b' SECURITY.md | sort -u); do \
		grep -rqE "struct $$suite\b" Tests || { echo "SECURITY.md names $$suite, which is no suite"; exit 1; }; \
	done

clean: ## remove everything that was built
	rm -rf .build .build-release .build-thread .build-address .build-fuzz

build-packages:
	@$(call install-missing,$(BUILD_PACKAGES))

test-packages:
	@$(call install-missing,$(BUILD_PACKAGES) $(TEST_PACKAGES))

# Only what is missing, so that a machine that has everything needs neither root nor the net.
define install-missing
	missing=; for package in $(1); do \
		dpkg-query --show --showformat='$${Status}' $$package 2>/dev/null | grep -q '^install ok installed' \
			|| missing="$$missing $$package"; \
	done; \
	if [ -n "$$missing" ]; then \
		echo "installing:$$missing"; \
		$(SUDO) apt-get update --quiet && \
		DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install --quiet --yes --no-install-recommends $$missing; \
	fi
endef
