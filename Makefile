# Two commands from a fresh machine: `make quickstart` and `make test`. `make app` opens a page to try it.
PYTHON ?= python3
BIN := .venv/bin
# make quickstart IMAGE=photo.jpg: predict on this photograph. SKIP_TRAINING=1: nothing else.
IMAGE ?=
SKIP_TRAINING ?=
# make app LOAD_PATH=logs/mine: with this network; empty: the released network.
LOAD_PATH ?=
# make venv GPU=1: install the CUDA libraries too.
GPU ?=

# PYTHON or GPU on the command line, other than what .venv was made with: it is made anew.
ifneq ($(filter command,$(origin PYTHON) $(origin GPU)),)
$(shell [ "$$(cat .venv/.made-with 2>/dev/null)" = "$(PYTHON) $(GPU)" ] || rm -f .venv/.installed)
endif

# make test-all MINUTES=20: begin no more after 20 minutes. Without: no limit.
# PARTS=programs: only what is skipped without other programs; see .ci/test_all.py.
MINUTES ?= 0
PARTS ?= programs,packages,pythons

# Where TensorFlow has wheels, so that pip need not say it: docs/install.md has the table.
define CHECK_PYTHON
import platform, sys, sysconfig
system, machine, libc = platform.system(), platform.machine(), sysconfig.get_config_var("HOST_GNU_TYPE")
last = 11 if (system, machine) == ("Darwin", "x86_64") else 13
reason = ""
if not (3, 9, 2) <= sys.version_info < (3, last + 1):
    reason = "Python 3.9 (from 3.9.2) to 3.%d, this is %s" % (last, platform.python_version())
elif machine not in ("x86_64", "aarch64", "arm64", "AMD64") or sys.maxsize < 2**32:
    reason = "64-bit x86 and Arm, this is %s %s" % (platform.architecture()[0], machine)
elif "musl" in (libc or ""):
    reason = "Linux with glibc, this one has musl"
elif platform.python_implementation() != "CPython" or sysconfig.get_config_var("Py_GIL_DISABLED"):
    reason = "CPython with its global lock, this is %s" % platform.python_implementation()
if reason:
    sys.exit("hmr_tf runs where TensorFlow does, %s: make PYTHON=python3.11 venv" % reason)
endef
export CHECK_PYTHON

.PHONY: quickstart app test test-all docs venv clean

quickstart: venv
	$(BIN)/python -m hmr_tf.main --mode=quickstart --output_dir=quickstart --img_path="$(IMAGE)" $(if $(SKIP_TRAINING),--skip_training)

app: .venv/.app-with
	$(BIN)/python -m examples.app --load_path="$(LOAD_PATH)"

test: .venv/.tested-with
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n auto --dist loadfile

# What `test` skips, with the programs it needs from the package registries, then the suite on every
# other supported Python of this machine. The end says what ran, and what did not and why.
test-all: .venv/.tested-with
	$(BIN)/python .ci/test_all.py --minutes=$(MINUTES) --parts=$(PARTS)

# The pages of docs/ as a site, in site/.
docs: .venv/.tested-with
	$(BIN)/python -m mkdocs build --strict

venv: .venv/.installed

# Changed requirements are installed into the .venv that is there; another PYTHON makes it anew.
.venv/.installed: requirements.txt
	@command -v "$(PYTHON)" > /dev/null || { echo "PYTHON=$(PYTHON) is not a program here: make PYTHON=python3.11 venv" >&2; exit 2; }
	@$(PYTHON) -c "$$CHECK_PYTHON"
	[ "$$(cat .venv/.made-with 2>/dev/null)" = "$(PYTHON) $(GPU)" ] || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt $(if $(GPU),'tensorflow[and-cuda]')
	@echo "$(PYTHON) $(GPU)" > .venv/.made-with
	touch $@

.venv/.tested-with: .venv/.installed tests/requirements.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r tests/requirements.txt
	touch $@

.venv/.app-with: .venv/.installed examples/requirements-app.txt
	$(BIN)/python -m pip install --disable-pip-version-check --quiet -r examples/requirements-app.txt
	touch $@

clean:
	rm -rf .venv quickstart site build
