# `make demo` installs what is needed, builds, and runs an attested container in simulation.
# `make test` passes every test. `make help` lists the rest.

PREFIX ?= /usr/local
OUT := $(CURDIR)/out
BUILD := .build/release
GUEST := $(OUT)/lib/arca/guest
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

# What the build, the guest and the runtime need from Debian; docs/architecture.md says for what.
PACKAGES := binutils cpio crun cryptsetup-bin jq musl-tools qemu-system-x86 skopeo xz-utils \
  zlib1g-dev libzstd-dev zstd

.PHONY: help deps build guest demo test lint fuzz bench install clean

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

deps: ## Install the Debian packages that are missing.
	@missing=$$(for p in $(PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  echo "installing:" $$missing; \
	  $(SUDO) apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; \
	fi

build: deps ## Build the host programs into out/.
	swift build -c release
	@mkdir -p $(OUT)/bin $(OUT)/lib/arca
	@cp -f $(BUILD)/arca $(OUT)/bin/arca
	@cp -f $(BUILD)/arca-launcher $(OUT)/lib/arca/arca-launcher

guest: build ## Build what runs in the TEE: kernel, initrd and their digests, into out/.
	$(BUILD)/arca-guest-build --output $(GUEST)

lint: ## Check the formatting and documentation rules.
	swift format lint --strict --recursive Package.swift Sources Tests Benchmarks Fuzz

clean: ## Remove what was built.
	rm -rf $(OUT) .build .build-guest
