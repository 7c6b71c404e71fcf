# demo: install the runtime and run the main job on the embedded sample.
# test: install everything and run the tests. lint: what CI checks besides.
# NBA_ZEEK=PREFIX says which Zeek demo, test and bench use; else it is that on PATH, or in a usual place.
# bench: measure; one JSON line per figure. BENCH="pipeline decode" measures only these.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test lint bench clean

demo: $(VENV)/runtime
	@echo "A day of a home that does not exist (models/sample), scored from its conn.log:"
	@$(BIN)/nba-broker score models/sample --out demo
	@echo "The thermostat is no device that the model knows. The two tp-link devices are twins: the plug"
	@echo "had the bulb's name for most of the day. The camera is at the edge of what the model takes for"
	@echo "known, and was unknown for hours: demo/nba_device.log says when. See models/default/README.md."
	@if [ -n "$$NBA_ZEEK" ] || PATH="$$PATH:/opt/zeek/bin:/usr/local/zeek/bin" command -v zeek >/dev/null; then \
		echo; echo "Zeek is here: the same day as a capture, through Zeek and a live worker."; \
		echo "It has no ICMP and no DHCP packets, so names are missing and verdicts can differ,"; \
		echo "as that of the camera:"; \
		mkdir -p demo/live && \
		$(BIN)/python -m tools.capture models/sample --out demo/live/sample.pcap && \
		$(BIN)/nba-broker pcap demo/live/sample.pcap --out demo/live; \
	else \
		echo "No Zeek here: the live part of the demonstration is left out."; \
	fi

# Each file as a whole goes to one of two processes, so that a model that a file fits is fitted once.
test: $(VENV)/dev
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@for script in zeek-scripts/*.zeek; do \
		$(BIN)/zeek-format < $$script | diff -u $$script - || exit 1; \
	done

bench: $(VENV)/dev
	$(BIN)/python -m benchmarks $(BENCH)

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed: make PYTHON=python3.11") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)

$(VENV)/runtime: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing into $(VENV), which says nothing for a minute or more:"
	$(PIP) -e .
	touch $@

$(VENV)/dev: $(VENV)/bin/python pyproject.toml constraints.txt
	@echo "Installing into $(VENV), which says nothing for minutes:"
	$(PIP) -e '.[train,dev]'
	touch $@

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache
