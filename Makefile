# The tasks of the project. Which Python makes `.venv` can be said: `make test PYTHON=python3.12`.
PYTHON ?= python3

BIN := .venv/bin

COMPILE := UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --custom-compile-command "make requirements" $(UPGRADE)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test nightly check lint types layers unit bench agentdojo chaos format requirements clean \
	runtime dev system dojo phoenix pictures

# Three processes keep two cores busy: tests wait for processes, databases and clocks too.
PARALLEL := -n 3

help: ## List the tasks
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-14s%s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: runtime ## Set up and run the refund desk, a whole example
	$(BIN)/python examples/refund_desk/demo.py

test: system dev phoenix lint types layers ## Check everything that a change could break, in twenty minutes
	$(BIN)/pytest $(PARALLEL) tests tests/mutants

nightly: system dev phoenix dojo lint types layers ## Check everything: long storms, all mutants, coverage
	$(BIN)/pytest $(PARALLEL) --ignore=tests/mutants --cov -m "nightly or not nightly" --timeout=1800
	$(BIN)/pytest -n 2 tests/mutants --all-mutants --record-all-killed

check: dev lint types layers unit ## Check what takes seconds; run it before each commit

lint: dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check

# Without the variable, pyright asks the network whether there is a newer one.
types: dev
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright

layers: dev
	$(BIN)/lint-imports

unit: dev
	$(BIN)/pytest tests/unit

bench: dev ## Measure, and print the numbers the documentation quotes
	$(BIN)/python -m bench

pictures: dev ## Take pictures of every page of the control room, to look at (ONLY=inbox: of some)
	PYTHONPATH=tests $(BIN)/python scripts/pictures.py --only "$(ONLY)"

phoenix: ## Set up Phoenix, which shows traces, in an environment of its own; `penstock dev` finds it
	@$(PYTHON) scripts/setup.py phoenix

agentdojo: dojo ## Measure policies against AgentDojo's attacks, in an environment of its own
	.venv-agentdojo/bin/python -m bench.agentdojo

chaos: dev ## Run the long storms of kills and restarts alone
	$(BIN)/pytest -m nightly --timeout=1800

format: dev ## Put the code into its format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

requirements: dev ## Pin the dependencies anew (UPGRADE=--upgrade takes newer ones)
	$(COMPILE) pyproject.toml --group demo -o requirements/runtime.txt
	$(COMPILE) requirements/build.in -c requirements/runtime.txt -o requirements/build.txt
	$(COMPILE) pyproject.toml --extra postgres --group demo --group dev requirements/build.in \
		-c requirements/runtime.txt -c requirements/build.txt -o requirements/dev.txt
	$(COMPILE) pyproject.toml requirements/agentdojo.in -o requirements/agentdojo.txt
	$(COMPILE) requirements/phoenix.in -o requirements/phoenix.txt
	$(COMPILE) requirements/uv.in -c requirements/dev.txt -o requirements/uv.txt

clean: ## Remove everything that these tasks make
	rm -rf .venv .venv-agentdojo .venv-phoenix .tools build dist htmlcov .coverage .coverage.* .hypothesis
	rm -rf .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# These do nothing while an environment fits what it was made from.
runtime:
	@$(PYTHON) scripts/setup.py runtime

dev:
	@$(PYTHON) scripts/setup.py dev

system:
	@$(PYTHON) scripts/setup.py dev --system-packages

dojo:
	@$(PYTHON) scripts/setup.py agentdojo
