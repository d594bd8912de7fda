# Every target builds the environment it needs (.venv, in this folder) and skips that when nothing changed.
# The stamp carries the hash of the requirement files, so another pin rebuilds and the same pins never do.
PYTHON ?= python3
SEEDS ?= 0 1 2 3 4
PINS := $(firstword $(shell cat requirements*.txt requirements/*.txt constraints.txt | cksum))
STAMP := .venv/.installed-$(PINS)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONNOUSERSITE := 1
# Hub libraries are told not to phone home; the default needs no network.
export HF_HUB_DISABLE_TELEMETRY := 1
export DO_NOT_TRACK := 1
export DVC_NO_ANALYTICS := 1
export NO_MKDOCS_2_WARNING := 1
unexport PYTHONHOME PYTHONPATH

# One process a processor, each with one thread: twice as fast as one process with two, since most tests are too small to share.
# A file stays in one process; tests/conftest.py has the longest first, where pytest-xdist would have those of most tests.
PYTEST := OMP_NUM_THREADS=1 python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.DEFAULT_GOAL := help
.PHONY: help environment repro test test-all torture docs check seeds leave-one-out table verify schema readme serve bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' Makefile

environment: $(STAMP) ## build .venv from the requirement files and constraints.txt (the other targets do it too)

$(STAMP):
	@PYTHON="$(PYTHON)" .ci/environment
	@rm -f .venv/.installed-* && touch $@

repro: $(STAMP) ## run the pipeline, then hold the results against the recorded ones
	@python -m steady repro

test: $(STAMP) ## quick tests (minutes)
	@$(PYTEST)

test-all: $(STAMP) ## slow tests too: the pipeline end to end, in clones
	@$(PYTEST) -m slow

torture: $(STAMP) ## resumes from every step, damaged checkpoints, failing disks, flipped bytes, batches, architectures: the figures
	@$(PYTEST) tests/torture -m "torture or not torture"
	@PYTHONPATH=. OMP_NUM_THREADS=1 python -W ignore tests/architectures.py

docs: $(STAMP) ## the guides as a site, in site/; `mkdocs serve` shows it while you write
	@mkdocs build --strict --quiet

check: $(STAMP) ## ruff, ruff format, mypy --strict, the checks of the sample data and the repository, and the site
	@ruff check .
	@ruff format --check .
	@mypy
	@python -m checks.data
	@python -m checks.repository
	@mkdocs build --strict --quiet

seeds: $(STAMP) ## the default over several training seeds: mean and spread (SEEDS="0 1 2 3 4", RECIPE=name for another)
	@python -m steady seeds $(if $(RECIPE),--recipe $(RECIPE)) $(SEEDS)

leave-one-out: $(STAMP) ## rotate the family of rewordings that training never sees
	@python -m steady leave-one-out

table: $(STAMP) ## the arms side by side, and the experiments
	@python -m steady table
	@dvc exp show --only-changed --drop '.*\.(py|json|txt|yaml)$$' --no-pager

verify: $(STAMP) ## re-hash every file that dvc.lock names and point at a damaged one
	@python -m steady verify

schema: $(STAMP) ## write params.schema.json, for editors, from the types of the parameters
	@python -m steady schema

readme: $(STAMP) ## render the README's figures from metrics/
	@python -m steady readme

serve: $(STAMP) ## serve the arms over HTTP, with a playground
	@python -m steady serve

bench: $(STAMP) ## speed and memory (benchmarks/README.md)
	@python -m benchmarks

clean: ## remove what can be rebuilt without loss: caches of tools and left-over checkpoints
	@rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .checkpoints
	@find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
