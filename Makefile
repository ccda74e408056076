# make help lists the targets. Everything happens in .venv and build; nothing else is touched.
#
#   PYTHON=/path/to/python3.12   the interpreter of .venv (default: the first one that is new enough)
#   IMAGES=folder                make demo: your own images instead of generated ones
#   ARGS="-k threads -x"         more arguments for pytest
#   WORKERS=2                    files of Python tests at a time

.DELETE_ON_ERROR:
.NOTPARALLEL:
.DEFAULT_GOAL := help

PYTHON := $(or $(PYTHON),$(shell for p in python3 python3.14 python3.13 python3.12 python3.11 \
    python; do "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && \
    echo "$$p" && break; done),python3)
VENV := .venv
BIN := $(VENV)/bin
WORKERS := 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
NATIVE := $(shell find csrc -name '*.[ch]' -o -name '*.cu' -o -name '*.cuh') setup.py

.PHONY: help demo test lint format types docs cuda sanitize tsan portable neon ctest package bench clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## */\1\t/p' Makefile | expand -t 12

demo: $(VENV)/stamp-build ## choose 5 of some generated radiographs, or of IMAGES=folder
ifdef IMAGES
	$(BIN)/scp select "$(IMAGES)" -m 5
else
	$(BIN)/scp demo
endif

test: $(VENV)/stamp-test $(VENV)/stamp-build ## all Python tests
	$(PYTEST) $(ARGS)

lint: $(VENV)/stamp-lint ## style of Python and C
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	git ls-files '*.c' '*.h' '*.cu' '*.cuh' '*.cpp' | xargs $(BIN)/clang-format --dry-run --Werror

format: $(VENV)/stamp-lint ## rewrite Python and C in the style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python tools/notebooks.py
	git ls-files '*.c' '*.h' '*.cu' '*.cuh' '*.cpp' | xargs $(BIN)/clang-format -i

types: $(VENV)/stamp-types $(VENV)/stamp-build ## types of what scp exports are complete
	$(BIN)/python tools/check_types.py

docs: $(VENV)/stamp-docs $(VENV)/stamp-build ## the site, in build/site, with the notebooks run; warnings are errors
	$(BIN)/sphinx-build -q -W --keep-going -b html docs build/site
	@echo "open build/site/index.html"

ctest: ## C tests, warnings are errors; CC=clang for another compiler
	$(if $(filter command% environment%,$(origin CC)),CC="$(CC)") tests/c/run.sh plain

cuda: $(VENV)/stamp-test ## the CUDA plug-in for sm_80 and sm_90, warnings are errors (needs nvcc)
	@if command -v nvcc >/dev/null || [ -x "$${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" ]; then \
	    rm -f build/lib*/scp/libscp_cuda.so; \
	    SCP_CUDA=1 NVCC_APPEND_FLAGS=-Werror=all-warnings \
	    $(BIN)/python setup.py --quiet build_ext --inplace && \
	    $(BIN)/python -m pytest -m cuda $(ARGS); \
	else echo "no nvcc here: the CUDA plug-in is not built"; fi

# The sanitized package lives in build/asan; PYTHONSAFEPATH keeps ./scp from hiding it. libstdc++ is
# loaded beside libasan, or else an exception inside OpenCV ends the run. --capture=sys lets the
# sanitizers' own reports through.
sanitize: $(VENV)/stamp-test ## C tests and Python tests under ASan and UBSan
	tests/c/run.sh asan
	rm -rf build/asan
	CC=gcc SCP_SANITIZE=address,undefined SCP_DEBUG=1 SCP_TESTING=1 $(BIN)/python setup.py --quiet \
	    build --build-base build/asan-objects --build-lib build/asan
	PYTHONPATH=build/asan PYTHONSAFEPATH=1 PYTHONMALLOC=malloc \
	    LD_PRELOAD="$$(gcc -print-file-name=libasan.so) $$(gcc -print-file-name=libstdc++.so.6)" \
	    ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 \
	    UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 SCP_TEST_LOCATION=build/asan \
	    $(PYTEST) --capture=sys $(ARGS)

# Python and NumPy are not instrumented: what the core does without the GIL is looked at.
tsan: $(VENV)/stamp-test ## C tests, and Python threads that share objects, under ThreadSanitizer
	tests/c/run.sh tsan
	rm -rf build/tsan
	CC=gcc SCP_CUDA=0 SCP_SANITIZE=thread SCP_TESTING=1 $(BIN)/python setup.py --quiet \
	    build --build-base build/tsan-objects --build-lib build/tsan
	PYTHONPATH=build/tsan PYTHONSAFEPATH=1 SCP_TEST_LOCATION=build/tsan \
	    LD_PRELOAD="$$(gcc -print-file-name=libtsan.so) $$(gcc -print-file-name=libstdc++.so.6)" \
	    TSAN_OPTIONS=halt_on_error=1:ignore_noninstrumented_modules=1 \
	    $(BIN)/python -m pytest --capture=sys tests/core/test_sharing.py

portable: $(VENV)/stamp-test $(VENV)/stamp-build ## all Python tests with the plain C kernels
	SCP_ISA=portable $(PYTEST) $(ARGS)

neon: ## C tests built for 64-bit ARM, under qemu (gcc-aarch64-linux-gnu, qemu-user)
	tests/c/run.sh neon

package: $(VENV)/stamp-venv ## build sdist and wheel, try the wheel in an empty place
	$(BIN)/python tools/check_package.py

bench: $(VENV)/stamp-build ## every script in benchmarks that needs no argument
	@for script in benchmarks/*.py; do \
	    case $$script in */builds.py|*/common.py|*/fabrec.py|*/fm_osd.py|*/large.py|*/limits.py|*/peers.py|*/plan.py|*/sampled.py|*/scn.py|*/search_*|*/settings.py|*/torch_*|*/turns.py|*/vaal.py) continue ;; esac; \
	    echo "== $$script"; $(BIN)/python "$$script" || exit 1; done

clean: ## remove what make made
	rm -rf $(VENV) build dist docs/reference/generated docs/tutorials/notebooks *.egg-info scp/*.so .pytest_cache .ruff_cache .hypothesis
	find scp tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

# ---- set-up; stamps are newer than what they were made from ----

$(VENV)/stamp-venv:
	@command -v $(PYTHON) >/dev/null || { echo "error: no Python: install python3 (3.11 or newer)," \
	    "or name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@$(PYTHON) tools/preflight.py
	$(PYTHON) -m venv $(VENV)
	$(PIP) "setuptools>=77" "numpy>=2.0"
	@touch $@

$(VENV)/stamp-install: $(VENV)/stamp-venv pyproject.toml
	$(PIP) --no-build-isolation --editable .
	@touch $@

$(VENV)/stamp-test: $(VENV)/stamp-venv pyproject.toml
	$(PIP) --no-build-isolation --only-binary scikit-learn,scipy,joblib --editable ".[test]"
	@touch $(VENV)/stamp-install $@

# An editable install has just compiled what is not older than it.
$(VENV)/stamp-build: $(VENV)/stamp-install $(NATIVE)
	@made=$$(ls -t scp/_core.*.so 2>/dev/null | head -1); \
	if [ -z "$$made" ] || [ -n "$$(find $(NATIVE) -newer "$$made")" ]; then \
	    echo "$(BIN)/python setup.py --quiet build_ext --inplace"; \
	    $(BIN)/python setup.py --quiet build_ext --inplace; fi
	@touch $@

$(VENV)/stamp-lint $(VENV)/stamp-types $(VENV)/stamp-docs: $(VENV)/stamp-%: $(VENV)/stamp-venv pyproject.toml
	$(PIP) $$($(BIN)/python -c 'import tomllib; \
	    print(*tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["$*"])')
	@touch $@
