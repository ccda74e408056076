"""scp._core as Python sees it: stub, docstrings and errors come from one table of rows."""

import copy
import importlib.util
import inspect
import pickle
from pathlib import Path

import numpy as np
import pytest

import scp
from scp import _core, _testing

TOOL = Path(__file__).resolve().parents[2] / "tools" / "stubs.py"
FUNCTIONS = {name: rows for name, _, rows in _testing.functions()}


@pytest.mark.skipif(not TOOL.exists(), reason="needs a checkout")
def test_the_stub_is_what_the_rows_say():
    spec = importlib.util.spec_from_file_location("stubs", TOOL)
    stubs = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stubs)
    committed = Path(scp.__file__).with_name("_core.pyi").read_text()
    assert committed == stubs.stub(), "run tools/stubs.py"


def test_every_function_is_in_the_table():
    callables = {n for n, v in vars(_core).items() if callable(v) and not isinstance(v, type)}
    assert callables == set(FUNCTIONS)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_name_every_argument(name):
    function = getattr(_core, name)
    arguments = [row[0] for row in FUNCTIONS[name] if row[4]]
    assert list(inspect.signature(function).parameters) == arguments
    for argument in arguments:
        assert f"\n{argument}: " in function.__doc__


def test_objects_say_what_they_are_and_only_functions_make_them():
    queries = _core.match_queries(np.zeros((3, 2, 16), np.float32), np.zeros((3, 2), np.float32))
    assert repr(queries) == "<scp._core.Queries: queries=3, levels=2, channels=16>"
    for refused in (type(queries), lambda: pickle.dumps(queries), lambda: copy.copy(queries)):
        with pytest.raises(TypeError, match=r"cannot (create|pickle) 'scp._core.Queries'"):
            refused()
    with pytest.raises(TypeError, match=r"problem must be Problem, got scp._core.Queries"):
        _core.select_score(queries, np.zeros(0, np.uint32))


def test_arguments_are_counted_and_shapes_agree():
    features, norms = np.zeros((20, 16), np.float32), np.zeros(20, np.float32)
    queries = _core.match_queries(np.zeros((3, 2, 16), np.float32), np.zeros((3, 2), np.float32))
    for arguments, keywords, error, text in (
        ((features, norms, queries), {}, TypeError, "missing required argument 'height'"),
        ((features, norms, queries, 2, 2), {"hight": 2}, TypeError, "hight"),
        ((features, norms[:9], queries, 2, 2), {}, ValueError, "norms: cells must be 20, as in fe"),
        ((features, norms, queries, 2, 3), {}, ValueError, "features must have the cells of all l"),
        ((features, norms, queries, 2, 2), {"path": "x"}, ValueError, "path must be one of: auto"),
        (
            (features, norms, queries, 2, 2),
            {"epsilon": -1},
            ValueError,
            "epsilon must be .*, got",
        ),
        (
            (features, norms, queries, 2, 2),
            {"epsilon": "x"},
            TypeError,
            "epsilon must be float, got",
        ),
        (
            (features[::2], norms, queries, 2, 2),
            {},
            ValueError,
            "features must be .* not cont",
        ),
        (
            (features, list(norms), queries, 2, 2),
            {},
            TypeError,
            r"norms must be float32 \[cells\], got list",
        ),
    ):
        with pytest.raises(error, match=text):
            _core.match(*arguments, **keywords)


def test_the_core_names_the_entry_that_is_wrong():
    features, norms = np.zeros((20, 16), np.float32), np.zeros(20, np.float32)
    queries = _core.match_queries(np.zeros((3, 2, 16), np.float32), np.zeros((3, 2), np.float32))
    norms[7] = np.nan
    with pytest.raises(ValueError, match=r"^norms\[7\] must be finite and >= 0, got nan$"):
        _core.match(features, norms, queries, 2, 2)
    norms = np.zeros((3, 2), np.float32)
    norms[2, 1] = -1
    with pytest.raises(ValueError, match=r"^query_norms\[2, 1\] must be .*, got -1.0$"):
        _core.match_queries(np.zeros((3, 2, 16), np.float32), norms)
