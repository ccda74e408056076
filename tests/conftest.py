"""What tests share: settings of the core that are put back, small radiographs, a run, real data."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "Agg")  # plots open no window

import pytest

import scp
from scp import _core

try:
    from scp import _testing
except ImportError:  # a wheel has none: tests that need it do not run there
    _testing = None


@pytest.fixture(autouse=True, scope="session")
def signals() -> None:
    """Signals act here and in child processes, though a shell's `&` or nohup had them ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def core_settings() -> Iterator[None]:
    """Puts the instruction set and the number of threads back after every test."""
    isa = _core.isa()
    yield
    if _testing:
        _testing.set_isa(isa)
    _core.set_threads(0)


@pytest.fixture
def two_threads() -> None:
    _core.set_threads(2)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium, driven by playwright."""
    api = pytest.importorskip("playwright.sync_api", reason="needs playwright (pip)")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs chromium (apt-get install chromium)")
    with api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of 8 small phantom radiographs, p0.png to p7.png; to be read only."""
    from phantoms import write_images

    pool = scp.datasets.phantom(8, seed=3, size=(240, 192))
    return write_images(tmp_path_factory.mktemp("images"), pool, [f"p{i}" for i in range(8)])


@pytest.fixture(scope="session")
def finished_run(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of a choice of 3 of `images` that nothing stopped; to be read only."""
    run = tmp_path_factory.mktemp("finished") / "run"
    extractor = scp.GradientExtractor(size=(128, 128))
    pool = scp.datasets.folder(images)
    scp.choose(pool, 3, run=run, count=30, duplicates=False, features=extractor)
    return run


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """Finds a folder of the real data, or skips the test: real_data("cephalometric")."""
    root = Path(os.environ.get("SCP_DATA") or Path(__file__).parents[2] / "shared" / "data")

    def find(name: str) -> Path:
        if not (root / name).is_dir():
            pytest.skip(f"no {name} in {root}; set SCP_DATA to the folder that holds it")
        return root / name

    return find
