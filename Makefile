# One command per verb; each sets up what it needs.
.PHONY: setup setup-dev demo test lint bench cases clean generate picture

setup:
	@sh scripts/setup.sh run

setup-dev:
	@sh scripts/setup.sh dev

demo: setup
	@.venv/bin/switchboard demo $(ARGS)

lint: setup-dev
	.venv/bin/ruff check src tests scripts
	.venv/bin/mypy
	.venv/bin/lint-imports
	.venv/bin/python scripts/generate.py --check

test: lint
	.venv/bin/python -m pytest $(ARGS)

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

bench: setup
	@for script in scripts/bench/*.py; do .venv/bin/python $$script || exit 1; done

picture: setup
	@.venv/bin/python scripts/picture.py

generate: setup
	@.venv/bin/python scripts/generate.py

# Plays recorded cases of one area: make cases AREA=proxy [CASES=DIR]
cases: setup
	@.venv/bin/python scripts/cases/$(AREA).py $(CASES)
