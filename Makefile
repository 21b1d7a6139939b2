# Everything a person does with a clone. Each target does its own set-up; `make` alone says what there is.
#
# Needed beforehand: Rust, Go, a C compiler and make. What else the tests need is installed (as root, on Debian) or
# named.

CARGO_DENY_VERSION := 0.20.2
CARGO_FUZZ_VERSION := 0.13.2
TOOLS := target/tools/bin
FANFARE := cargo run --locked --quiet --
ON_DATABASE := $(if $(DATABASE),--database '$(DATABASE)')

.DEFAULT_GOAL := help
.PHONY: help demo test simulate test-clock openapi fuzz test-cluster image chaos chaos-operator bench bench-operator lint format-check clippy deny advisories workflows crds packages cluster

help:
	@echo 'make demo          build, load examples/weather-alert, send one alert and stay up; Ctrl-C ends it'
	@echo 'make demo ONCE=1   the same, and end: 0 if all was as the example promises'
	@echo 'make demo DATABASE=postgres://user:password@host/database   either of them on PostgreSQL instead of files'
	@echo 'make test          install what the tests need and run all of them'
	@echo 'make simulate      run engine and stores in simulated time for a minute, with faults of all kinds; SEEDS=100000 for a night,'
	@echo '                   SEED=7 for those from that one on'
	@echo 'make test-clock    the same but for the API server, as if it were midnight, 29 February and the like'
	@echo 'make test-cluster  install the chart on a real node and tell stories there; needs root, or KUBECONFIG_E2E, a cluster of'
	@echo '                   one node, with KUBECONFIG_E2E_LOAD="kind load image-archive", the command that takes an image in'
	@echo 'make image         build the image with Docker, for this machine'
	@echo 'make chaos         strike three replicas on PostgreSQL with 200 faults; FAULTS=1000 for more, SEED=7 for those again'
	@echo 'make chaos-operator   every class of faults that operators are known to fall over, in full numbers'
	@echo 'make bench-operator  measure operator and runtime on a real API server'
	@echo 'make fuzz          give what reads texts and bytes from outside an hour each of inputs; FUZZ_SECONDS=60 for less'
	@echo 'make bench         measure the main job; PARTS="ingest broad" for some of it, BENCH_SCALE=0.1 for a tenth'
	@echo 'make lint          format, clippy, licences, duplicate and foreign crates'
	@echo 'make crds          write crds/, docs/reference/ and what the chart holds of them from the kinds'
	@echo '.ci/run            what a change must pass'

# ONCE=1 is for scripts: a port and a data folder of its own, so that neither a running demo nor an earlier one is in its way.
demo:
	cargo build --locked
ifdef ONCE
	rm -rf target/demo
	$(FANFARE) dev examples/weather-alert --demo --once --listen 127.0.0.1:0 --data target/demo $(ON_DATABASE)
else
	$(FANFARE) dev examples/weather-alert --demo $(ON_DATABASE)
endif

test: cluster
	cargo test --locked --all-targets

# The engine of one to five replicas, on either database, in simulated time. A seed says everything that happens.
SIMULATE_SECONDS := 60
simulate: packages
	$(if $(SEEDS),FANFARE_SIMULATION_SEEDS=$(SEEDS),FANFARE_SIMULATION_SECONDS=$(SIMULATE_SECONDS)) \
	  $(if $(SEED),FANFARE_SIMULATION_SEED=$(SEED)) cargo test --locked --features simulation --test simulation -- --nocapture

# Every program of tests begins half a minute before the moment, so that it passes in its midst. The API server is a Go
# program, whose clock nobody can set; chaos takes too long.
CLOCKS := 'UTC|23:59:30' 'UTC|2027-01-31 23:59:30' 'UTC|2028-02-29 23:59:30' \
  'Europe/Berlin|2027-03-28 00:59:30 UTC' 'Europe/Berlin|2027-10-31 00:59:30 UTC'
CLOCK_TESTS := --lib $(addprefix --test ,architecture channels checker cli dispatch durability faults ingest kill model planner \
  sandbox store telemetry track)
test-clock: packages
	cargo test --locked --no-run $(CLOCK_TESTS)
	@set -e; for clock in $(CLOCKS); do \
	  echo "== $${clock#*|} in $${clock%%|*}"; \
	  TZ="$${clock%%|*}" CLOCK="$${clock#*|}" cargo test --locked \
	    --config 'target."cfg(unix)".runner = "$(CURDIR)/tests/clock/runner"' $(CLOCK_TESTS) $(STORY); \
	done

# Traefik, Flux and the rest of a node are built from Go modules, once. How long each step took stands in
# target/on_cluster/times.txt.
test-cluster: packages
	tests/cluster/cluster build api node helm gateway flux
	rm -f target/on_cluster/times.txt
	cargo test --locked --test on_cluster -- --test-threads 8 $(STORY)

IMAGE := ghcr.io/fanfare-dev/fanfare:0.1.0
image:
	docker build -t $(IMAGE) .

# As in `make test`, but long. A full disk needs the right to mount, or FANFARE_SMALL_DISK.
FAULTS := 200
chaos: packages
	FANFARE_CHAOS_FAULTS=$(FAULTS) $(if $(SEED),FANFARE_CHAOS_SEED=$(SEED)) cargo test --locked --test chaos -- --nocapture --test-threads 1

# All of tests/operator, in numbers that are too slow for every change.
chaos-operator: cluster
	FANFARE_OPERATOR_FAULTS=all cargo test --locked --test operator -- --nocapture --test-threads 2

# The Kubernetes API server that tests talk to, the Lua of Argo CD and Helm: built from Go modules once, into a cache.
cluster: packages
	tests/cluster/cluster build api lua helm

packages:
	@missing=; for pair in openssl=openssl curl=curl jq=jq python3=python3 promtool=prometheus faketime=faketime pgbouncer=pgbouncer; do \
	  PATH=$$PATH:/usr/sbin command -v $${pair%%=*} >/dev/null || missing="$$missing $${pair#*=}"; done; \
	[ -n "$$TEST_DATABASE_URL" ] || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || missing="$$missing postgresql"; \
	python3 -c 'import ensurepip' 2>/dev/null || missing="$$missing python3-venv"; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  mkdir -p /etc/postgresql-common; echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $$missing; \
	else echo "the tests need$$missing: install them and run make again" >&2; exit 1; fi

# Holds what is answered to its description by Schemathesis, in an environment of its own.
openapi: packages
	[ -x target/openapi/bin/schemathesis ] || { python3 -m venv target/openapi && \
	  target/openapi/bin/pip install -q -r tests/openapi/requirements.txt; }
	cargo build --locked
	python3 tests/openapi/check.py $(CURDIR)/target/openapi/bin/schemathesis $(CURDIR)/target/debug/fanfare

# What reads texts and bytes from outside, each for FUZZ_SECONDS, as many at once as there are cores; what is found is added
# to target/fuzz/corpus, an input that fails is kept in target/fuzz/artifacts. FUZZ_TARGETS=expression for one of them.
FUZZ_SECONDS := 3600
# Where chance begins; 0 is another place each time.
FUZZ_SEED := 0
# How many inputs at most; 0 are those of tests/fuzz/corpus alone.
FUZZ_RUNS := -1
FUZZ_TARGETS := expression template params import manifests smtp_reply body
FUZZ_HOST := $(shell rustc -vV | sed -n 's/^host: //p')
CARGO_FUZZ := $(TOOLS)/cargo-fuzz-$(CARGO_FUZZ_VERSION)
fuzz: $(CARGO_FUZZ)
	cargo metadata --locked --format-version 1 --manifest-path tests/fuzz/Cargo.toml >/dev/null
	$(CARGO_FUZZ) build --fuzz-dir tests/fuzz --target-dir target/fuzz --sanitizer none --dev
	@printf '%s\n' $(FUZZ_TARGETS) | xargs -P "$$(nproc)" -I TARGET sh -c ' \
	  mkdir -p target/fuzz/corpus/TARGET target/fuzz/artifacts/TARGET target/fuzz/log; \
	  target/fuzz/$(FUZZ_HOST)/debug/TARGET target/fuzz/corpus/TARGET tests/fuzz/corpus/TARGET \
	    -seed=$(FUZZ_SEED) -runs=$(FUZZ_RUNS) -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
	    -dict=tests/fuzz/words.dict -print_final_stats=1 -verbosity=0 -artifact_prefix=target/fuzz/artifacts/TARGET/ >target/fuzz/log/TARGET 2>&1 \
	  && echo "fuzz TARGET: $$(sed -n "s/^stat::number_of_executed_units: *//p" target/fuzz/log/TARGET) inputs, no finding" \
	  || { tail -n 40 target/fuzz/log/TARGET; echo "fuzz TARGET: a finding; its input is in target/fuzz/artifacts/TARGET"; exit 255; }'

$(CARGO_FUZZ):
	cargo install --locked --root target/tools --version $(CARGO_FUZZ_VERSION) cargo-fuzz
	mv $(TOOLS)/cargo-fuzz $@

# Prints a table and writes target/bench/summary.json.
bench:
	cargo bench --locked --bench fanfare -- $(PARTS)

# How soon manifests are served, what a thousand of them cost, and what is asked of the API server at rest.
bench-operator: cluster
	cargo bench --locked --bench operator -- $(PARTS)

lint: format-check clippy deny advisories workflows

format-check:
	cargo fmt --check

clippy:
	cargo clippy --locked --all-targets --features simulation -- -D warnings
	cargo clippy --locked --test on_cluster -- -D warnings

# Advisories need a network and change without us; `cargo deny check advisories` shows them.
deny: $(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION)
	$< check bans licenses sources

# Needs a network, for the database of RustSec.
advisories: $(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION)
	$< check advisories

$(TOOLS)/cargo-deny-$(CARGO_DENY_VERSION):
	cargo install --locked --root target/tools --version $(CARGO_DENY_VERSION) cargo-deny
	mv $(TOOLS)/cargo-deny $@

workflows:
	tests/cluster/cluster build workflows
	$${FANFARE_TOOLS:-$$HOME/.cache/fanfare-cluster}/bin/actionlint -no-color

crds:
	$(FANFARE) crds > target/crds.yaml
	mv target/crds.yaml crds/fanfare.yaml
	$(FANFARE) crds --reference docs/reference
	cp crds/fanfare.yaml charts/fanfare/files/crds.yaml
	cp config/operator/rbac.yaml config/operator/people.yaml charts/fanfare/files/
