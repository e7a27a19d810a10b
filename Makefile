# Everything a person does with a checkout. `make help` lists it.
UV ?= $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --frozen

.PHONY: help setup
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-22s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.uv/bin/uv:
	python3 -m venv .uv && .uv/bin/pip install --quiet uv==0.13.9

setup: $(filter .uv/bin/uv,$(UV)) ## make the environment from uv.lock
	$(UV) sync --frozen
