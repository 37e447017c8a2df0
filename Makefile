# make run    the etcd-like store in a 256 MiB memory cgroup, about 15 seconds
# make test   everything a change must pass (less than 10 minutes on two cores)
# make soak   the store for an hour (DURATION=), threads come and go, limits change: is memory flat at the end?
# make bench  Tricolor and its peers in turns, with ratios, written to docs/benchmarks.md (BENCH_OPTIONS='--peers go')
# make bench-quick  the same at small sizes, to see that everything runs; writes nothing
# make bench-store  the etcd-like store and its twin in Go under memory limits; hours, goes on where it was ended (BENCH_OPTIONS=)
# make tuning-tables  the tables of tuning.md, measured again on this machine (about an hour)
# make install  the C library (libtricolor.so, libtricolor.a, tricolor.h, tricolor.pc) into PREFIX=/usr/local
# make test-numa  what needs several NUMA nodes or version 2 of control groups, in virtual machines that have them (qemu)
# make test-dashboard  the dashboard and reports in a real browser (chromium), with pictures to look at
# make sanitize  the tests under AddressSanitizer and ThreadSanitizer, the C under UBSan and valgrind (half an hour)
# make docs   the library's documentation, in .build/docs; fails when a public symbol has none
# make examples  the packages in Examples/, as their users would build and run them
# make format the formatter over all sources
# Each does its own set-up and says what it does.

SWIFT ?= swift
# The command carries Swift's libraries where the toolchain has them to link in: 3 MiB less resident, no calls through the linker's table.
SWIFT_BIN := $(dir $(shell readlink -f "$$(command -v $(SWIFT))"))
STATIC := $(if $(wildcard $(SWIFT_BIN)../lib/swift_static/*/libswiftCore.a),--static-swift-stdlib)
TRICOLOR = .build/release/tricolor
SOURCES = Package.swift Sources Workloads Tests Benchmarks/Micro \
  Benchmarks/Peers/Swift/Package.swift Benchmarks/Peers/Swift/Sources Examples
CGROUP ?= 256MiB
SOAK_OPTIONS ?=
BENCH_OPTIONS ?=
# More options for debug builds: those of the tests and of the documentation.
BUILD_OPTIONS ?=
PREFIX ?= /usr/local
run: DURATION ?= 15s
soak: DURATION ?= 1h

.PHONY: run test test-numa test-dashboard tuning-tables install soak bench bench-quick bench-store sanitize docs examples format lint set-up build

run: build
	@if $(TRICOLOR) topology --json - | grep -q '"canMakeCgroup" *: *true'; then \
	  echo "==> the etcd-like store, $(DURATION), in a cgroup of $(CGROUP) with GOMEMLIMIT=auto"; \
	  GOMEMLIMIT=auto $(TRICOLOR) run etcd --cgroup $(CGROUP) --duration $(DURATION); \
	else \
	  echo "==> no memory cgroup can be made here; the etcd-like store, $(DURATION), under GOMEMLIMIT=230MiB alone"; \
	  $(TRICOLOR) run etcd --memory-limit 230MiB --duration $(DURATION); \
	fi

test: set-up lint
	@echo "==> the benchmarks' runner against fakes, the model of many nodes"
	python3 -m unittest discover -s Benchmarks
	python3 -m unittest discover -s Model
	@echo "==> debug build of everything, then the tests: each part, the protocol under random programs, real cgroups"
	$(SWIFT) build --build-tests $(BUILD_OPTIONS)
	$(SWIFT) test --skip-build $(BUILD_OPTIONS)

install: set-up
	@echo "==> release build of the C library, then into $(PREFIX)"
	SWIFT=$(SWIFT) Scripts/c-library.sh $(PREFIX)

# 77 is no failure: the machine has no qemu, and that was said.
test-numa: set-up
	@echo "==> optimised build of the tests"
	$(SWIFT) build -c release --build-tests -Xswiftc -enable-testing --scratch-path .build-release-tests
	@echo "==> the tests in virtual machines"
	python3 Tests/VirtualMachine/suite.py .build-release-tests/release || [ $$? -eq 77 ]

# 77 is no failure: the machine has no Chromium, and that was said.
test-dashboard: build
	@echo "==> the dashboard in headless Chromium"
	python3 Tests/Dashboard/browser.py $(TRICOLOR) || [ $$? -eq 77 ]
	@echo "==> reports in headless Chromium"
	python3 Tests/Dashboard/report.py $(TRICOLOR) || [ $$? -eq 77 ]

tuning-tables: build
	@echo "==> settings, the curve, overshoot, the smallest group, CPU quotas, unlike heaps, the heap's own choice of GOGC"
	for table in settings curve overshoot smallest quota heaps; do python3 Scripts/limits.py $$table || exit; done
	for load in rates phases; do python3 Scripts/growth.py $$load || exit; done

soak: set-up
	@echo "==> release build of the soak, then $(DURATION) of it"
	$(SWIFT) build -c release --product tricolor-soak
	.build/release/tricolor-soak --duration $(DURATION) $(SOAK_OPTIONS)

bench: build
	@echo "==> Tricolor and its peers in turns, full sizes"
	python3 Benchmarks/compare.py --markdown docs/benchmarks.md $(BENCH_OPTIONS) $(TRICOLOR)

bench-quick: build
	@echo "==> Tricolor and its peers in turns, small sizes"
	python3 Benchmarks/compare.py --quick $(BENCH_OPTIONS) $(TRICOLOR)

bench-store: build
	@echo "==> the store and its twin in Go under memory limits"
	python3 Benchmarks/compare_store.py --markdown docs/benchmarks-store.md $(BENCH_OPTIONS) $(TRICOLOR)

sanitize: sanitize-undefined sanitize-valgrind sanitize-address sanitize-thread

sanitize-%: set-up
	Scripts/sanitize.sh $*

docs: set-up
	@echo "==> symbols, then docc"
	BUILD_OPTIONS="$(BUILD_OPTIONS)" Scripts/docs.sh .build/docs

examples: set-up
	Scripts/examples.sh

format:
	$(SWIFT) format --in-place --recursive $(SOURCES)

lint:
	@echo "==> the formatter's check"
	$(SWIFT) format lint --strict --recursive $(SOURCES)

build: set-up
	@echo "==> release build"
	$(SWIFT) build -c release --product tricolor $(STATIC)
	$(SWIFT) build -c release --product tricolor-scenario $(STATIC)

set-up:
	@sh Scripts/set-up.sh
