# `make report` and `make test` are all that a fresh machine needs; each sets up what it lacks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# Where it is set, as in many images, every process compiles anew what it imports.
export PYTHONDONTWRITEBYTECODE =

.PHONY: report test test-extended test-fast prepared coverage lab bench check clean

report: $(READY)
	$(BIN)/proofbook demo

test: $(READY)
	@$(MAKE) --no-print-directory --jobs 2 prepared
	$(BIN)/python -m pytest -n 8 -m "not extended"

# The rest: more cases of what `make test` has some of, and what takes long and is held by another test too. Continuous integration runs both.
test-extended: $(READY)
	@$(MAKE) --no-print-directory --jobs 2 prepared spark pythons
	$(BIN)/python -m pytest -n 8 -m extended

# What is checked without a test, beside what tests need: each of the two computes on one processor, or waits for a network.
prepared: check chromium servers

# What needs neither root nor a rehearsal, a browser, foreign servers, Java or whole runs, and does not wait for real time; of a property and of a table of cases only some.
test-fast: $(READY)
	$(BIN)/python -m pytest -n 3 --fast

# Apart from `make test`, since counting makes tests take a third longer.
coverage: $(READY)
	$(BIN)/python -m pytest -n 2 --fast --cov=proofbook --cov-report=
	@echo "The tests of make test-fast reach $$($(BIN)/coverage report --format=total) % of the lines of the library, the others more of them."

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict lib benchmarks

# Opens the notebook that asks. As root, as in a container, JupyterLab wants to be told so, and there is no browser to open.
lab: $(READY)
	@[ "$$(id -u)" != 0 ] || echo "You are root: JupyterLab starts with --allow-root for this machine alone. Open the address below and run all cells: the notebook shows an incident made up for practice."
	@$(BIN)/jupyter lab $$([ "$$(id -u)" != 0 ] || echo --allow-root --no-browser) --ServerApp.root_dir=notebooks --LabApp.default_url=/lab/tree/10-incident.ipynb

bench: $(READY)
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/logs.py --with-peers
	$(BIN)/python benchmarks/report.py
	$(BIN)/python benchmarks/history.py
	$(BIN)/python benchmarks/runner.py

# A browser for the report's tests; without the right to install one, those tests skip and say so.
.PHONY: chromium
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; } || \
	  echo "chromium is not installed and may not be installed by this user: the browser tests will skip; install it with: sudo apt-get install chromium"

# Servers that we did not write, for the tests of `proofbook try` and of notices, and a writer of journals. Without the right to install them those tests skip and say so.
.PHONY: servers
servers: | chromium
	@missing=; \
	command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing="$$missing nginx-light"; \
	command -v npm >/dev/null || missing="$$missing nodejs npm"; \
	{ command -v mosquitto || [ -x /usr/sbin/mosquitto ]; } >/dev/null || missing="$$missing mosquitto"; \
	{ command -v nats-server || [ -x /usr/sbin/nats-server ]; } >/dev/null || missing="$$missing nats-server"; \
	command -v promtool >/dev/null || missing="$$missing prometheus"; \
	{ command -v prometheus-alertmanager || command -v alertmanager; } >/dev/null || missing="$$missing prometheus-alertmanager"; \
	[ -x /lib/systemd/systemd-journal-remote ] || missing="$$missing systemd-journal-remote"; \
	[ -z "$$missing" ] || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null; } || \
	  echo "not installed and may not be installed by this user:$$missing; the tests that need them will skip; install them with: sudo apt-get install$$missing"

# Spark for the test of logs that lie in an engine; without Java, or the right to install it, that test skips and says so.
.PHONY: spark
spark: $(READY) | servers
	@command -v java >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq default-jre-headless >/dev/null; } || \
	  echo "Java is not installed and may not be installed by this user: the Spark test will skip; install it with: sudo apt-get install default-jre-headless"
	@! command -v java >/dev/null || $(BIN)/python -c 'import pyspark' 2>/dev/null || \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-spark.lock

# Other Pythons that we support, to judge the same evidence with: those on the PATH, or installed by pyenv. Without them those tests skip and say so.
# They compile what they import: a tenth of what is installed.
.PHONY: pythons
pythons:
	@for version in 3.11 3.12 3.13; do \
	  [ -e .venv-$$version/.ready ] && continue; \
	  $(BIN)/python -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$$version')" && continue; \
	  found=; \
	  shim=$$(command -v python$$version); \
	  for python in "$$shim" $$(ls -d "$${shim%/shims/*}"/versions/$$version.*/bin/python 2>/dev/null); do \
	    "$$python" -c 'import venv, ensurepip' 2>/dev/null && found=$$python && break; \
	  done; \
	  if [ -z "$$found" ]; then echo "Python $$version is not installed: the test that judges with it will skip"; continue; fi; \
	  "$$found" -m venv .venv-$$version && \
	  .venv-$$version/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --constraint requirements.lock --editable . && \
	  touch .venv-$$version/.ready || exit 1; \
	done

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed, this is " + sys.version.split()[0] + "; name another with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $(READY)

clean:
	rm -rf $(VENV) .venv-3.* .coverage .pytest_cache .mypy_cache .ruff_cache .hypothesis
