# `make` lists the targets. Each is one command of hack/ or cargo; nothing else is hidden here.

.DEFAULT_GOAL := help
.PHONY: help run build test lint fmt bless audit bench bench-control bench-guard performance-docs hotspots deps deploy conformance e2e cluster-up cluster-down load-images

help: ## Show this list
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

run: ## Start the gateway with sample backends and show what to try (no root, no network)
	cargo run --locked --package portcullis-cli -- demo

build: ## Build the optimised binary, target/release/portcullis
	hack/deps build
	hack/ordered target/release/portcullis cargo build --locked --release --package portcullis-cli

test: ## Everything that needs no cluster: lint, then unit, golden, property and walkthrough tests
	hack/checks test

lint: ## Format, clippy, documentation, layer rules, licences, shell scripts
	hack/checks lint

fmt: ## Format all Rust code
	cargo fmt --all

bless: ## Accept what golden tests print now, and remake docs/features.md; look at the diff before you commit
	INSTA_UPDATE=always PORTCULLIS_BLESS=1 cargo test --locked --package portcullis-translate --package portcullis-cli
	git status --short -- '*.snap' docs/features.md

audit: ## Known vulnerabilities in dependencies (fetches the RustSec database)
	. hack/versions && "$$cargo_deny" --workspace check advisories

hotspots: ## Where the CPU time goes under load, by perf, after `make bench` (TARGET="portcullis http-1k")
	python3 bench/dataplane/hotspots.py $(TARGET)

bench: ## The data plane beside nginx, HAProxy, Envoy and bare pingora, into bench/results/ (QUICK=yes; see bench/README.md)
	hack/deps bench
	$(MAKE) --no-print-directory build
	cargo build --locked --release --package portcullis-bench
	cargo build --locked --release --manifest-path bench/pingora/Cargo.toml --target-dir bench/pingora/target
	python3 bench/dataplane

bench-control: ## From an apply to traffic on a cluster, beside Envoy Gateway (PARTS=probe,.. CLASSES=portcullis QUICK=yes DEPLOY=no)
	hack/bench-control

bench-guard: ## Instructions of the main paths against bench/instructions.json (BLESS=yes writes them; ONLY=http-1,tls)
	hack/deps guard
	hack/bench-guard

performance-docs: ## Tables and plots of docs/performance.md from the newest committed results
	hack/deps plots
	. hack/versions && "$$plotting" bench/performance

deps: ## Install what `make test` needs, on top of Rust and Go
	hack/deps test

cluster-up: ## Start a Kubernetes cluster to test against (CLUSTER=name CHANNEL=experimental; docs/cluster.md)
	hack/deps cluster
	hack/cluster up

cluster-down: ## Remove it and all that it made (CLUSTER=name)
	hack/cluster down

load-images: ## Build the images of Portcullis and its samples, and load them into the cluster
	hack/images
	hack/cluster load-images

deploy: ## Build Portcullis and put it into the cluster, which is started if need be (CLUSTER=name CHANNEL=standard)
	hack/deploy

conformance: ## The upstream suite on the cluster (RUN=Name,... CLASS=other CHANNEL=standard DEPLOY=no)
	hack/conformance

e2e: ## Our own end-to-end tests on the cluster (RUN=Name SHORT=yes DEPLOY=no)
	hack/e2e
