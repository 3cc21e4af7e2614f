# Everything a newcomer types. `make demo` goes from a fresh clone to a verdict in the browser.
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8501

.PHONY: demo app test lint bench clean

demo: .venv/installed
	$(BIN)/python -m engine demo --port $(PORT)

app: .venv/installed
	$(BIN)/python -m engine app --port $(PORT)

test: .venv/installed-dev
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder --durations 10

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

bench: .venv/installed-dev
	mkdir -p test-artefacts
	$(BIN)/python -m benchmarks.first_verdict --out test-artefacts/first_verdict.json
	$(BIN)/python -m benchmarks.dcgan --out test-artefacts/dcgan.json
	$(BIN)/python -m benchmarks.convolutions --out test-artefacts/convolutions.json
	$(BIN)/python -m benchmarks.importing --out test-artefacts/importing.json
	$(BIN)/python -m benchmarks.stylegan2 --out test-artefacts/stylegan2.json
	$(BIN)/python -m benchmarks.threads --out test-artefacts/threads.json
	$(BIN)/python -m benchmarks.sampling --out test-artefacts/sampling.json
	$(BIN)/python -m benchmarks.quality --out test-artefacts/quality.json
	$(BIN)/python -m benchmarks.memorisation --out test-artefacts/memorisation.json
	$(BIN)/python -m benchmarks.sweep --out test-artefacts/sweep.json
	$(BIN)/python -m benchmarks.dashboard --out test-artefacts/dashboard.json
	$(BIN)/python -m benchmarks.slider --out test-artefacts/slider.json
	$(BIN)/python -m benchmarks.install --out test-artefacts/install.json

.venv/installed: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; (3, 11) <= v <= (3, 13) or sys.exit(f"Python {v[0]}.{v[1]} was found as $(PYTHON); 3.11 to 3.13 is expected. Name one, as in: make demo PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	@$(BIN)/python install.py requirements.txt
	@touch $@

.venv/installed-dev: .venv/installed requirements-dev.txt pyproject.toml
	@$(BIN)/python install.py requirements-dev.txt
	@touch $@

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .import_linter_cache test-artefacts
