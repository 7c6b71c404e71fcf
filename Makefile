# demo: install the runtime and score the embedded sample.
# test: install everything and run the tests. lint: the other checks of CI.
# dist: build wheel and sdist into dist/, and run the demo from the wheel on Python 3.11 to 3.14.
# bench: measure; one JSON line per figure. BENCH="pipeline decode" measures only these.
# NBA_ZEEK=PREFIX chooses the Zeek of demo, test and bench; default: on PATH, or in a usual place.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint dist bench clean

demo: $(VENV)/runtime
	@echo "A day of a made-up home (models/sample), scored from its conn.log:"
	@$(BIN)/nba-broker score models/sample --out demo
	@echo "The model does not know the thermostat: it is unknown. The two tp-link devices are confusable,"
	@echo "and the made-up plug has the bulb's name. The plug and the camera were unknown for hours:"
	@echo "demo/nba_device.log says when. See models/default/README.md."
	@if [ -n "$$NBA_ZEEK" ] || PATH="$$PATH:/opt/zeek/bin:/usr/local/zeek/bin" command -v zeek >/dev/null; then \
		echo; echo "Zeek found. The same day as a capture, through Zeek and a live worker. It has no"; \
		echo "ICMP and no DHCP packets, so host names are missing and verdicts can differ, as the camera's:"; \
		mkdir -p demo/live && \
		$(BIN)/python -m tools.capture models/sample --out demo/live/sample.pcap && \
		$(BIN)/nba-broker pcap demo/live/sample.pcap --out demo/live; \
	else \
		echo "No Zeek found; skipping the live part."; \
	fi

# A file's tests run in one process, so that a model which a file fits is fitted once; the longest
# files begin first, see tests/conftest.py.
test: $(VENV)/dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@for script in zeek-scripts/*.zeek; do \
		$(BIN)/zeek-format < $$script | diff -u $$script - || exit 1; \
	done

dist: $(VENV)/bin/python
	$(BIN)/python -m tools.dist

bench: $(VENV)/dev
	$(BIN)/python -m benchmarks $(BENCH)

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed: make PYTHON=python3.11") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing into $(VENV); this takes a minute or more without output:"
	$(PIP) -e .
	touch $@

$(VENV)/dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing into $(VENV); this takes minutes without output:"
	$(PIP) -e '.[train,dev]'
	touch $@

clean:
	rm -rf $(VENV) demo dist .pytest_cache .mypy_cache .ruff_cache
