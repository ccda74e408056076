"""Progress in a notebook: one element below the cell, updated in place."""

import sys
import types

import pytest

from scp import progress
from scp.progress import CellBar, bars, clock, watch


class Clock:
    """Seconds that pass when a test says so."""

    now = 0.0

    def monotonic(self):
        return self.now


class Handle:
    def __init__(self, shown):
        self.shown = shown

    def update(self, content, raw):
        assert raw is True
        self.shown[-1].append(content)


@pytest.fixture
def passing(monkeypatch):
    made = Clock()
    monkeypatch.setattr(progress, "time", made)
    return made


@pytest.fixture
def cells(monkeypatch):
    """A kernel: what is displayed, a list for each element of what it showed."""
    shown = []

    def display(content, raw, display_id):
        assert raw is True and display_id is True
        shown.append([content])
        return Handle(shown)

    shell = types.ModuleType("IPython")
    shell.get_ipython = lambda: types.SimpleNamespace(kernel=None)
    shell.display = types.ModuleType("IPython.display")
    shell.display.display = display
    monkeypatch.setitem(sys.modules, "IPython", shell)
    monkeypatch.setitem(sys.modules, "IPython.display", shell.display)
    return shown


def test_one_element_is_updated_and_leaves_a_line(cells, passing, capsys):
    bar = watch(None, "<similarity>", 100)
    for done in range(1, 101):
        passing.now += 0.125
        bar(done, 100)
    (states,) = cells
    assert 40 < len(states) < 60, "five updates a second at most, after the first second"
    pages = [state["text/html"] for state in states]
    assert all("&lt;similarity&gt;" in page for page in pages)
    assert '<progress max="1" value="0.08' in pages[0] and "8 of 100" in pages[0]
    assert "50 of 100, 0:06 left" in "".join(pages)
    assert pages[-1] == "<div>&lt;similarity&gt;: 100 of 100, 0:12</div>"
    assert states[-1]["text/plain"] == "<similarity>: 100 of 100, 0:12"
    assert capsys.readouterr() == ("", "")


def test_short_work_shows_nothing(cells, passing):
    bar = watch(None, "key points", 10)
    for done in range(1, 11):
        passing.now += 0.05
        bar(done, 10)
    assert cells == []
    assert watch(False, "key points", 10) is None


def test_a_search_that_counts_anew_stays_in_its_element(cells, passing):
    bar = watch(True, "selection", 1)
    for total in (20, 30):
        for done in range(1, total + 1):
            passing.now += 1
            bar(done, total)
    (states,) = cells
    assert "20 of 20, 0:20" in states[-31]["text/html"]
    assert states[-1]["text/plain"] == "selection: 30 of 30, 0:50"


def test_what_was_done_before_does_not_count_for_the_speed(cells, passing):
    bar = watch(None, "similarity", 100)
    bar(90, 100)
    for done in range(91, 95):
        passing.now += 2
        bar(done, 100)
    assert "94 of 100, 0:12 left" in cells[0][-1]["text/plain"]


def test_a_stage_of_nothing(cells, passing):
    watch(None, "landmarks", 0)(0, 0)
    assert cells == []


def test_shares_stay_in_the_bar(cells, passing):
    bar = CellBar("train", delay=0)
    bar.show(1.7, "x")
    assert 'value="1.0000"' in cells[0][0]["text/html"]
    bar.close("stopped")
    assert cells[0][-1]["text/plain"] == "train: stopped, 0:00"


def test_the_environment_says_that_nobody_waits(cells, monkeypatch):
    monkeypatch.setenv("SCP_PROGRESS", "0")
    assert watch(None, "similarity", 4) is None and not bars(None)
    assert bars(True), "what was asked for is shown"


def test_times_are_read_as_of_a_clock():
    assert [clock(s) for s in (0, 59.6, 725, 7390)] == ["0:00", "1:00", "12:05", "2:03:10"]


@pytest.mark.slow
def test_a_kernel_shows_it_in_place():
    """In a kernel of Jupyter, as a notebook runs it."""
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    code = (
        "import time\nfrom scp.progress import watch\nbar = watch(None, 'similarity', 4)\n"
        "for done in range(1, 5):\n    time.sleep(0.6)\n    bar(done, 4)\n"
    )
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbclient.NotebookClient(book, timeout=300, kernel_name="python3").execute()
    (output,) = book.cells[0].outputs
    assert output.output_type == "display_data"
    assert output.data["text/html"].startswith("<div>similarity: 4 of 4, 0:0")
