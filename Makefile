# Each of these sets up first what it needs; a second run finds it done.
PYTHON ?= python3
PYTEST = .venv/bin/python -m pytest
BENCHMARKS = preview judge scale nab incidents sizing containers placement purchase fairness
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.PHONY: demo test lint bench setup help

help:            ## what there is
	@grep -E '^[a-z]+: .*##' Makefile | sed 's/:.*##/\t/' | expand -t 12

demo: setup      ## the whole loop on this machine; DEMAND=file plans from your own demand
	@./fairweather demo $(if $(DEMAND),--demand "$(DEMAND)") $(if $(AT),--at "$(AT)") $(if $(STACK),--stack "$(STACK)")

test:            ## every test, with the real engine and the embedded clouds
	@$(PYTHON) tools/setup.py --tests --quiet
	@$(PYTEST) $(ARGS)

lint: setup      ## format, lint, types, and who may import whom
	ruff format --check .
	ruff check .
	mypy
	cd policypacks/guardrails && mypy .
	lint-imports

bench: setup     ## every benchmark, beside its rivals; ONLY=judge runs one
	@for file in $(addprefix benchmarks/,$(addsuffix .py,$(or $(ONLY),$(BENCHMARKS)))); do \
	  echo; .venv/bin/python "$$file" $(ARGS) || exit 1; done

setup:           ## virtual environment, Pulumi engine, etcd and kube-apiserver
	@$(PYTHON) tools/setup.py --quiet
