# Everything a person does with a checkout. `make help` lists it. Needed: Linux x86_64, make, Python >= 3.11 with venv, a
# package index. Every target may be repeated.
UV ?= $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --frozen --no-sync
export UV_PYTHON_DOWNLOADS := never
# Programs that the tests start would compile what they import anew each time.
unexport PYTHONDONTWRITEBYTECODE
SOURCES := crds/src kube/src operator/src controlplane/src gateway/src engines/src client/src cli/src

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-llm up down test test-machine test-newer cluster-tools test-cluster test-services cluster-up cluster-down e2e e2e-down fuzz skips images golden-chart check verify generate bench bench-gateway bench-gateway-spine bench-operator bench-routing bench-limits bench-overload bench-traces bench-controlplane release-fixture clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.uv/bin/uv:
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python >= 3.11 is needed, this is " + sys.version.split()[0] + "; install one and put it first on PATH as python3")'
	python3 -m venv .uv && .uv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9

setup: $(filter .uv/bin/uv,$(UV)) ## make the environment from uv.lock
	@$(UV) sync --frozen --quiet

demo: setup ## train, push, deploy, call, limit, update, bill: the whole story, at most 3 minutes
	$(RUN) python examples/demo

demo-llm: setup ## the same with a real language model on vLLM (installs 6 GB once)
	$(RUN) python examples/demo --llm

up: setup ## start Mizzen on this machine
	$(RUN) mizzen up

down: setup ## stop it
	$(RUN) mizzen down

test: setup ## run the tests, at most 5 minutes on 2 cores
	$(RUN) pytest tests -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-machine: setup ## run the tests of whole installations on this machine, and of programs that are killed, at most 5 minutes
	$(RUN) pytest tests/machine tests/fault -n 2 --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

test-newer: setup ## run the unit tests on every newer Python that this machine has
	UV="$(UV)" $(RUN) python tools/newer_pythons.py

cluster-tools: setup ## build the programs of a Kubernetes, once; they stay in the cache folder
	$(RUN) python tools/cluster/build.py test-cluster

test-cluster: cluster-tools ## run the tests on a real API server, no root; SUITE="crds library" runs these alone
	$(RUN) pytest $(or $(addprefix tests/cluster/,$(SUITE)),tests/cluster) -n 3 --dist loadscope --timeout 300 $(PYTEST_ARGS)

cluster-up: setup ## start a Kubernetes to play with, no root: eval $$(make -s cluster-up); MIZZEN=1 runs Mizzen's programs beside it
	@$(RUN) python tools/cluster/playground.py up $(if $(MIZZEN),--mizzen)

cluster-down: setup ## end it
	@$(RUN) python tools/cluster/playground.py down

# What clients say, by `make test` to a simulated engine, here to a real one.
TRANSCRIPTS := $(patsubst %,tests/contract/test_%.py,openai langchain_openai curl tritonclient tritonclient_grpc)
test-services: setup ## run the tests against real servers and engines, at most 15 minutes; installs vLLM once (6 GB)
	$(RUN) mizzen engines install vllm
	$(RUN) python tools/cluster/build.py services
	sh tools/prerequisites.sh services
	$(RUN) pytest tests/services $(TRANSCRIPTS) --engine vllm --timeout 600 $(PYTEST_ARGS)

e2e: setup ## run the stories on a real node with containers, as root on Debian 12, at most 15 minutes; SUITE="node" runs some
	@test "$$(id -u)" = 0 || { echo "make e2e needs root: a node has a network, mounts and control groups of its own" >&2; exit 2; }
	$(RUN) python tools/cluster/build.py e2e
	$(RUN) pytest tests/e2e -s --timeout 900 $(if $(SUITE),-k "$(SUITE)") $(PYTEST_ARGS)
	@$(MAKE) --no-print-directory e2e-down

e2e-down: setup ## remove what a killed run of e2e left, and fail if anything is left then
	@$(RUN) env PYTHONPATH=tests python -m support.cluster.real_node.removal

test-long: setup ## run the tests that take minutes: every kill point, 20,000 requests while each process is killed, a real KEDA
	$(RUN) python tools/cluster/build.py long
	$(RUN) pytest tests/long -s --timeout 900 $(PYTEST_ARGS)
	MIZZEN_ALL_ROLES=1 $(RUN) pytest tests/integration/controlplane/test_every_route_by_role.py -s --timeout 900 $(PYTEST_ARGS)

fuzz: setup ## look for bytes that break the gateway's edges, 10 minutes; what is found is kept in tests/corpus/fuzz; MIZZEN_FUZZ_SECONDS=60 is short
	MIZZEN_FUZZ_GROWS=1 $(RUN) pytest tests/long/test_fuzzing.py -s --timeout 900 $(PYTEST_ARGS)

skips: setup ## tell skipped tests without a published reason; REPORT is pytest's --junitxml
	$(RUN) python tools/skips.py $(REPORT)

images: setup ## build all container images without a daemon, as root; NAMES="gateway" builds these alone
	$(RUN) python tools/images.py $(NAMES)

golden-chart: setup ## write the chart's golden renders anew; read the difference before you commit it
	MIZZEN_WRITE_GOLDEN=1 $(RUN) pytest tests/cluster/chart/test_renders.py -q -k golden

check: setup ## format, lint, types, layers, house rules, security, secrets, advisories, generated files
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy $(SOURCES) tools benchmarks
	$(RUN) lint-imports
	$(RUN) python tools/house_rules.py
	$(RUN) bandit --quiet --configfile pyproject.toml --recursive $(SOURCES)
	$(RUN) python tools/secret_scan.py
	$(RUN) python tools/advisories.py $(UV)
	@$(MAKE) --no-print-directory verify

verify: setup ## tell which generated files are not as generated
	$(RUN) python tools/generate.py --check

generate: setup ## write all generated files
	$(RUN) python tools/generate.py

bench: bench-gateway bench-gateway-spine bench-operator bench-routing bench-limits bench-traces bench-overload bench-controlplane ## run all benchmarks

bench-gateway: setup ## what a request through the gateway costs, against nginx, vllm-router, sglang-router, LiteLLM and a bare proxy of gRPC; QUICK=1 is small
	$(RUN) env PYTHONPATH=tests:tools python benchmarks/gateway_numbers.py

bench-gateway-spine: setup ## latency that the gateway adds to a request, against Triton directly
	$(RUN) python benchmarks/gateway_spine.py

bench-operator: setup ## what the operator takes on a real API server, against a bare loop and plain kopf; QUICK=1 is small
	$(RUN) python tools/cluster/build.py test-cluster
	$(RUN) env PYTHONPATH=tests:tools python benchmarks/operator_numbers.py

bench-routing: setup ## where requests go: recorded traffic over eight simulated engines, against other gateways' policies
	$(RUN) python benchmarks/routing.py

bench-limits: setup ## a check of six limits and a budget in this process, in Redis and in PostgreSQL
	$(RUN) env PYTHONPATH=tests:tools:benchmarks python benchmarks/limits_check.py

bench-overload: setup ## more requests than engines can answer: goodput, refusals, a small project beside a large one; SIMULATED_ONLY=1
	$(RUN) env PYTHONPATH=tests:tools:benchmarks python benchmarks/overload.py

bench-traces: setup ## what spans cost a request that is recorded, and one that is not
	$(RUN) python benchmarks/traces.py

bench-controlplane: setup ## what the control plane takes, on SQLite and PostgreSQL: access, money, and every benchmarks/controlplane_*.py; ONLY=access, QUICK=1 is small
	$(RUN) env PYTHONPATH=tests:tools:benchmarks python benchmarks/controlplane.py

release-fixture: setup ## keep this release's definitions, schema, data folder and wheels for later compatibility tests
	$(RUN) python tools/release_fixture.py

clean: ## remove what can be made again; the data folder of `mizzen up` stays
	rm -rf .venv .uv dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
