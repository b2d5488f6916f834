# Every target works on a fresh clone: the virtual environment is built when it is missing or stale.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# Without bytecode each of many processes would compile jamlab anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: report test test-all check format lab docs bench bench-latency bench-connectivity bench-connect bench-session bench-devices bench-meters bench-skew bench-kernel bench-coverage bench-browser bench-recordings bench-redundancy bench-concealment bench-playout clean

report: $(READY)
	@mkdir -p reports && touch reports/.begun
	$(BIN)/jamlab verify --out reports || [ reports/verification.html -nt reports/.begun ]  # any verdict is a result

test: $(READY)
	$(BIN)/pytest --numprocesses auto --dist worksteal -m 'not slow'

test-all: $(READY)
	$(BIN)/pytest --numprocesses auto --dist worksteal --hypothesis-profile thorough

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lab: $(READY)
	$(BIN)/jupyter lab notebooks

docs: $(READY)  # offline; a warning is an error; notebooks are executed, unless EXECUTE=no
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --fresh-env \
	  $(if $(filter no,$(EXECUTE)),-D nb_execution_mode=off) -c docs -d reports/site/doctrees . site

bench: bench-latency bench-connectivity bench-connect bench-session bench-devices bench-meters bench-skew bench-kernel bench-coverage bench-browser bench-recordings bench-redundancy bench-concealment bench-playout

bench-latency: $(READY)
	$(BIN)/python -m bench.latency

bench-connectivity: $(READY)
	$(BIN)/python -m bench.connectivity

bench-connect: $(READY)
	$(BIN)/python -m bench.connect

bench-session: $(READY)
	$(BIN)/python -m bench.session

bench-devices: $(READY)
	$(BIN)/python -m bench.devices

bench-meters: $(READY)
	$(BIN)/python -m bench.meters

bench-skew: $(READY)
	$(BIN)/python -m bench.skew

bench-kernel: $(READY)
	$(BIN)/python -m bench.kernel

bench-coverage: $(READY)
	$(BIN)/python -m bench.coverage

bench-browser: $(READY)
	$(BIN)/python -m bench.browser

bench-recordings: $(READY)
	$(BIN)/python -m bench.recordings

bench-playout: $(READY)
	$(BIN)/python -m bench.playout

bench-redundancy: $(READY)
	$(BIN)/python -m bench.redundancy

bench-concealment: $(READY)
	$(BIN)/python -m bench.concealment

clean:
	rm -rf .venv reports site .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --no-compile --editable '.[dev]'  # most modules are never imported
	touch $(READY)
