# `make run` and `make test` install what they need on Debian 12 and are quick the second time.
VENV ?= .venv
export VENV
PYTHON = $(VENV)/bin/python

.PHONY: run test check tour gallery setup lock

run: setup
	$(PYTHON) main.py demo

tour: setup
	$(PYTHON) main.py demo --tour tour

gallery: setup
	$(PYTHON) -m screens.gallery gallery/portrait
	$(PYTHON) -m screens.gallery gallery/landscape --landscape

test: setup check
	$(PYTHON) -m pytest -n $$(($$(nproc) + 1))

check: setup
	$(VENV)/bin/ruff check --no-cache .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

setup:
	@scripts/setup

# Renews the lock files from pyproject.toml and requirements/*.in (needs uv).
lock:
	uv pip compile requirements/build.in --generate-hashes --python-version 3.11 --no-header --no-annotate --no-emit-index-url -o requirements/build.lock
	uv pip compile pyproject.toml --extra kiosk --extra server --extra s3 --extra dev --generate-hashes --python-version 3.11 --no-header --no-annotate --no-emit-index-url -o requirements/dev.lock
	uv pip compile requirements/face.in --no-deps --generate-hashes --python-version 3.11 --no-header --no-annotate --no-emit-index-url -o requirements/face.lock
	uv pip compile pyproject.toml --extra fuzz --generate-hashes --python-version 3.11 --no-header --no-annotate --no-emit-index-url -c requirements/dev.lock -o requirements/fuzz.lock
