# `make demo` installs what is needed, builds, and runs an attested container in simulation.
# `make test` passes every test. `make help` lists the rest.

OUT := $(CURDIR)/out
BUILD := .build/release
GUEST := $(OUT)/lib/arca/guest
VECTORS := $(or $(ARCA_VECTORS),../shared/vectors)
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
FUZZ_RUNS ?= 20000
DESTDIR ?=
PREFIX ?= /usr/local

BUILD_PACKAGES := gcc libp11-kit-dev libsqlite3-dev libssl-dev libzstd-dev zlib1g-dev
GUEST_PACKAGES := binutils cpio dpkg-dev e2fsprogs linux-libc-dev musl-tools xz-utils zstd
RELEASE_PACKAGES := patchelf python3
RUNTIME_PACKAGES := crun curl qemu-system-x86 skopeo
TEST_PACKAGES := aardvark-dns busybox-static catatonit chromium conmon containerd \
  containernetworking-plugins cryptsetup-bin docker.io docker-registry erofs-utils etcd-server \
  iproute2 iptables jq mandoc netavark podman procps python3-grpcio python3-venv slirp4netns \
  softhsm2 spin strace uidmap
# Debian 13 has Docker's client in a package of its own; its podman needs nft, and pasta where there is no root.
TEST_PACKAGES += $(shell . /etc/os-release; [ "$${VERSION_ID:-99}" -lt 13 ] || echo docker-cli nftables passt)
# Nor virtiofsd, which Debian 12's QEMU brings.
RUNTIME_PACKAGES += $(shell . /etc/os-release; [ "$${VERSION_ID:-99}" -lt 13 ] || echo virtiofsd)
# Another package may have brought it, and then Debian's cannot be installed.
TEST_PACKAGES += $(shell command -v kubectl >/dev/null || echo kubernetes-client)
PACKAGES := $(BUILD_PACKAGES) $(GUEST_PACKAGES) $(RELEASE_PACKAGES) $(RUNTIME_PACKAGES) \
  $(TEST_PACKAGES)
BENCH_PACKAGES := runsc wrk
BENCH_CROWD ?= 1 10
SANITIZER ?= address
KERNEL_PACKAGES := bc bison flex libelf-dev libssl-dev make
FUZZ_TARGETS := $(patsubst Fuzz/%/Target.swift,%,$(wildcard Fuzz/*/Target.swift))

.PHONY: help deps build guest guest-kernel demo test model unit-test conformance-test \
  oci-conformance sanitize integration-test integration-guests integration-engines lint fuzz bench install package verify-release clean

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/'

deps: ## Install the Debian packages that are missing.
	@missing=$$(for p in $(PACKAGES); do \
	  dpkg-query -W -f='$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  echo "installing:" $$missing; \
	  $(SUDO) apt-get update -qq && \
	  DEBIAN_FRONTEND=noninteractive $(SUDO) apt-get install -y -qq --no-install-recommends $$missing; \
	fi
	@# Images for the demonstration and the tests are made of packages, which need apt's lists.
	@apt-get download --print-uris busybox-static >/dev/null 2>&1 || $(SUDO) apt-get update -qq

build: deps ## Build the host programs into out/.
	swift build -c release
	@mkdir -p $(OUT)/bin $(OUT)/lib/arca
	@install $(BUILD)/arca $(BUILD)/arca-kbs $(OUT)/bin/
	@install $(BUILD)/arca-launcher $(OUT)/lib/arca/
	@ln -f $(OUT)/bin/arca $(OUT)/bin/arca-runtime

guest: build ## Build what runs in the TEE: kernel, initrd and their digests, into out/.
	$(BUILD)/arca-guest-build --output $(GUEST)

guest-kernel: ## Build the guest with a kernel of its own, from Debian's source with guest/kernel.config.
	@$(MAKE) --no-print-directory build PACKAGES="$(PACKAGES) $(KERNEL_PACKAGES)"
	$(BUILD)/arca-guest-build --kernel-source --output $(GUEST)

demo: guest ## Run an attested container in a simulated TEE.
	$(SUDO) Examples/demo.sh

test: guest ## Run every test: unit, conformance, integration, a short fuzzing, formatting.
	@$(MAKE) --no-print-directory lint model unit-test conformance-test integration-test fuzz
	@echo "every test that ran has passed"

unit-test: ## Run the unit tests, and those that boot the guest by itself.
	swift build -c release --build-tests
	@mkdir -p $(OUT)
	@echo "unit tests: some minutes; each test's lines go to out/unit-test.log"
	@# A test runs programs from its folder as another user.
	@export TMPDIR=$$(mktemp -d); trap 'rm -rf "$$TMPDIR"' EXIT; chmod 711 "$$TMPDIR"; \
	status=0; swift test -c release --skip-build > $(OUT)/unit-test.log 2>&1 || status=$$?; \
	grep -E '^✔ (Suite|Test run)|^✘|skipped' $(OUT)/unit-test.log; \
	[ $$status = 0 ] || tail -n 40 $(OUT)/unit-test.log; exit $$status

model: ## Check the model of the release of secrets, and that each of its assumptions matters.
	Models/check.sh

conformance-test: ## Compare with sev-snp-measure, and the command line with the vectors.
	@for run in "sev_snp_measure.py $(OUT)/bin/arca $(VECTORS)/launch/inputs/OVMF.amdsev.fd" \
	  "release_files.py $(OUT)/bin/arca $(VECTORS)/launch/inputs/OVMF.amdsev.fd" \
	  "attest_vectors.py $(OUT)/bin/arca $(VECTORS)" kubernetes_manifests.py; do \
	  status=0; python3 Tests/Conformance/$$run || status=$$?; \
	  if [ $$status = 77 ] && [ -z "$$CI" ]; then echo "SKIPPED: $$run"; \
	  elif [ $$status != 0 ]; then exit $$status; fi; \
	done
	@status=0; Tests/Conformance/gramine.py $(OUT)/bin/arca "$$HOME/.cache/arca/test-images" || status=$$?; \
	if [ $$status = 77 ]; then echo "SKIPPED: gramine.py, which needs Gramine"; \
	elif [ $$status != 0 ]; then exit $$status; fi

oci-conformance: build ## Hold arca to runc's results in runtime-tools' suite, which must be had: see the program.
	@$(MAKE) --no-print-directory deps PACKAGES="$(PACKAGES) git runc"
	$(SUDO) python3 Tests/Conformance/runtime_tools.py $(OUT)/bin/arca-runtime

sanitize: ## Run the unit tests that boot no guest under SANITIZER, address or thread.
	Tests/sanitize.sh $(SANITIZER)

integration-test: ## Boot real guests through arca, and run the key broker.
	$(SUDO) bash Tests/Integration/images/make-images.sh "$$HOME/.cache/arca/test-images" >/dev/null
	@# A guest that is translated keeps one processor busy.
	@$(MAKE) --no-print-directory -j2 integration-guests integration-engines
	@# It looks at every process of the machine, so that nothing may run beside it.
	$(SUDO) Tests/Integration/run.sh soak
	$(SUDO) Tests/Integration/readme.sh
	$(SUDO) env PATH="$$PATH" Tests/Integration/release.sh $(VECTORS)/launch/inputs

integration-guests:
	$(SUDO) Tests/Integration/run.sh
	$(SUDO) Tests/Integration/storage.sh
	$(SUDO) Tests/Integration/secrets/run

integration-engines:
	$(SUDO) Tests/Integration/engines.sh
	$(SUDO) Tests/Integration/node.sh
	Tests/Integration/kbs/run
	$(SUDO) Tests/Integration/faults/run

lint: ## Check the formatting and documentation rules.
	swift format lint --strict --recursive Package.swift Sources Tests Benchmarks Fuzz

fuzz: ## Run each fuzz target for FUZZ_RUNS inputs.
	@set -e; for target in $(FUZZ_TARGETS); do \
	  echo "fuzzing $$target"; \
	  Fuzz/run.sh $$target $(FUZZ_RUNS) > .build/fuzz.log 2>&1 || { tail -n 40 .build/fuzz.log; exit 1; }; \
	done

bench: guest ## Measure and render docs/benchmarks.md; BENCH_CROWD="1 10 50 100" starts more at once.
	@$(MAKE) --no-print-directory deps PACKAGES="$(PACKAGES) $(BENCH_PACKAGES)"
	Examples/debian-image.sh $(OUT)/bench/busybox '{"Entrypoint":["/bin/busybox"]}' busybox-static
	@mkdir -p $(OUT)/bench/results
	$(SUDO) python3 Benchmarks/Start/start.py $(OUT)/bench/busybox > $(OUT)/bench/results/start.json
	$(SUDO) python3 Benchmarks/Instructions/count.py > $(OUT)/bench/results/instructions.json
	$(SUDO) python3 Benchmarks/Start/crowd.py $(OUT)/bench/busybox $(BENCH_CROWD) > $(OUT)/bench/results/crowd.json
	$(SUDO) python3 Benchmarks/Start/through_engines.py $(OUT)/bench/busybox > $(OUT)/bench/results/engines.json
	$(SUDO) Benchmarks/Steady/steady.sh > $(OUT)/bench/results/steady.json
	@# Here, since the benchmark itself has a network of its own without any way out.
	Benchmarks/Network/image.sh $(OUT)/bench/network
	$(SUDO) python3 Benchmarks/Network/network.py $(OUT)/bench/network > $(OUT)/bench/results/network.json
	$(SUDO) Benchmarks/Memory/memory.sh oci:$(OUT)/bench/busybox > $(OUT)/bench/results/memory.json
	$(SUDO) Benchmarks/Conversion/conversion.sh $(OUT)/bench/steady > $(OUT)/bench/results/conversion.json
	Benchmarks/Handshake/run.sh > $(OUT)/bench/results/handshake.json
	Benchmarks/Verification/run.sh $(VECTORS) > $(OUT)/bench/results/verification.txt
	python3 Benchmarks/render.py $(OUT)/bench/results docs

install: guest ## Install into PREFIX.
	install -D -t $(DESTDIR)$(PREFIX)/bin $(OUT)/bin/arca $(OUT)/bin/arca-kbs
	ln -f $(DESTDIR)$(PREFIX)/bin/arca $(DESTDIR)$(PREFIX)/bin/arca-runtime
	install -D -t $(DESTDIR)$(PREFIX)/lib/arca $(OUT)/lib/arca/arca-launcher
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/lib/arca/guest $(GUEST)/*
	chmod 755 $(DESTDIR)$(PREFIX)/lib/arca/guest/arca-init

package: guest ## Make the Debian package, with manual pages, completions and SBOM, into out/.
	deploy/package.sh

verify-release: ## Rebuild the guest from the last commit and compare it with RELEASE, a package or folder.
	swift build -c release --product arca-guest-build
	deploy/verify-release.sh $(RELEASE)

clean: ## Remove what was built.
	rm -rf $(OUT) .build .build-guest .build-fuzz .build-kbs-venv
