"""Direct calls of the core with odd arguments: an exception each, which names the argument."""

import os
import subprocess
import sys

import numpy as np
import odd_calls
import plain_calls
import pytest

from scp import _core, _testing

F = np.float32
DEVICE = {"cuda_open", "cuda_devices", "cuda_matcher", "cuda_match", "select_attach"}


def test_odd_arguments_give_exceptions(tmp_path):
    """Some 20,000 calls in a process of their own, since a fault would end this one."""
    log = tmp_path / "calls.txt"
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
        "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":max_allocation_size_mb=4096",
    }
    done = subprocess.run(
        [sys.executable, odd_calls.__file__, log],
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
    )
    lines = log.read_text(errors="replace").splitlines()
    assert done.returncode == 0, f"{lines[-1:]} ended with {done.returncode}: {done.stderr[-3000:]}"
    assert lines[lines.index("faults:") :] == ["faults:", "none"]
    assert len(lines) > 15_000


def test_every_function_is_called():
    functions = {
        name
        for module in (_core, _testing)
        for name, value in vars(module).items()
        if callable(value) and not isinstance(value, type)
    }
    assert functions == set(plain_calls.PLAIN)
    for name in functions - DEVICE:  # each call is one that works, before it is made odd
        function = getattr(_core, name, None) or getattr(_testing, name)
        function(**plain_calls.PLAIN[name]())


@pytest.mark.parametrize("wrapped", [2**32, 2**32 + 1, 2**64 + 1])
def test_whole_numbers_do_not_wrap_around(wrapped):
    maps = np.ones((1, 6, 7, 3), F), np.ones((3, 3, 3, 5), F)
    for place in range(4):
        geometry = [1, 1, 1, 1, False]
        geometry[place] += wrapped
        with pytest.raises(ValueError, match="geometry"):
            _testing.conv_workspace(*maps, tuple(geometry), False)
    image = np.zeros((60, 70), np.uint8)
    with pytest.raises(ValueError, match="octaves"):
        _core.surf(image, 100.0, wrapped, 4)
    with pytest.raises(ValueError, match="octave_layers"):
        _core.surf(image, 100.0, 3, wrapped)
    for step in (2**64 - 1, 2**64 // 5, wrapped * 2**30):
        for name in ("contrast_sample", "refine_sample", "supervise_sample"):
            with pytest.raises(ValueError, match="step"):
                getattr(_testing, name)(**plain_calls.PLAIN[name]() | {"step": step})
        with pytest.raises(ValueError, match="first"):
            _core.trainer_run(**plain_calls.PLAIN["trainer_run"]() | {"first": step})


@pytest.mark.parametrize("empty", ["image", "crop", "both"])
@pytest.mark.parametrize("shape", [(2, 0, 0, 16), (2, 0, 5, 16), (2, 5, 0, 16)])
def test_maps_without_pixels_are_refused(empty, shape):
    call = plain_calls.PLAIN["contrast_objective"]()
    for name in ("image", "crop"):
        if empty in (name, "both"):
            call[name] = call[name + "_gradients"] = (np.zeros(shape, F),)
    with pytest.raises(ValueError, match="level 0 must not be empty"):
        _testing.contrast_objective(**call)


def test_convolutions_without_images_are_refused():
    for name, argument in (
        ("conv_forward", "x"),
        ("conv_backward_data", "dz"),
        ("conv_backward_weights", "x"),
    ):
        call = plain_calls.PLAIN[name]()
        for key in ("x", "y", "dz", "dy"):
            if key in call:
                call[key] = call[key][:0]
        with pytest.raises(ValueError, match=f"{argument} must not be empty"):
            getattr(_testing, name)(**call)


@pytest.mark.parametrize("byte", [0, 1, 127, 255])
def test_a_problem_is_the_same_whatever_becomes_of_its_rules(byte):
    given = plain_calls.problem_arguments(30, 20)
    core = _core.select_problem(**given)
    before = _core.select_greedy(core, 4), _core.select_random(core, -1, 1, 100, np.array([100]))
    for name in ("weights", "roles", "groups", "costs"):
        given[name].view(np.uint8)[...] = byte
    after = _core.select_greedy(core, 4), _core.select_random(core, -1, 1, 100, np.array([100]))
    np.testing.assert_array_equal(before[0], after[0])
    np.testing.assert_array_equal(before[1][0], after[1][0])


def test_rows_of_a_training_that_change_are_looked_at_again():
    call = plain_calls.PLAIN["refine_trainer"]()
    lengths = _core.refine_measure(**call)[1]
    arrays = {name: np.zeros(length, F) for name, length in lengths.items()}
    trainer = _core.refine_trainer(**call)
    call["pseudo_rows"][:] = 4_000_000_000
    with pytest.raises(ValueError, match="pseudo_rows 0 must be an image of the pool"):
        _core.trainer_run(trainer, arrays, 0, np.full(1, 1e-3))


@pytest.mark.parametrize("name, wrong", [("weights", np.nan), ("weights", -1), ("costs", np.inf)])
def test_numbers_of_a_problem_are_checked_by_the_core(name, wrong):
    given = plain_calls.problem_arguments()
    given[name][3] = wrong
    with pytest.raises(ValueError, match=rf"{name}\[3\] must be a finite number >= 0"):
        _core.select_problem(**given)


@pytest.mark.parametrize("name", ["budget", "min_distance"])
def test_limits_of_a_problem_are_numbers(name):
    with pytest.raises(ValueError, match=f"{name} must be a number, got nan"):
        _core.select_problem(**plain_calls.problem_arguments() | {name: np.nan})


def test_a_start_must_keep_the_rules():
    core = _core.select_problem(**plain_calls.problem_arguments())
    clash = np.array([0, 1], np.uint32)  # of one group, and too near
    for name in ("select_swap", "select_bound", "select_exact"):
        call = plain_calls.PLAIN[name]() | {"problem": core, "set": clash}
        with pytest.raises(ValueError, match="set must keep the rules"):
            getattr(_core, name)(**call)
        with pytest.raises(ValueError, match="set must have m rows"):
            getattr(_core, name)(**call | {"m": 3})


def test_large_subsets_are_drawn_in_linear_time():
    """Those of every size are the same numbers, whichever way they were drawn; the largest one here
    took an hour when it was not linear."""
    whole = _core.random_subset(0, 0, 400_000, 400_000)
    np.testing.assert_array_equal(whole, np.arange(400_000))
    large = _core.random_subset(0, 0, 2_000_000, 3_000_000)
    assert (np.diff(large.astype(np.int64)) > 0).all() and large[-1] < 3_000_000
    for m, n in ((255, 300), (256, 256), (257, 300), (600, 600), (5000, 1 << 31)):
        words, rows = iter(_core.random_words(5, 6, 2 * m).tolist()), []
        for j in range(n - m, n):  # Floyd
            product = next(words) * (j + 1)
            while product % 2**32 < 2**32 % (j + 1):
                product = next(words) * (j + 1)
            pick = product // 2**32
            rows.append(j if pick in set(rows[-m:]) else pick)
        np.testing.assert_array_equal(_core.random_subset(5, 6, m, n), sorted(rows))


@pytest.mark.parametrize("name", sorted(plain_calls.PLAIN))
def test_without_memory_a_call_says_that_and_nothing_else(name):
    function = getattr(_core, name, None) or getattr(_testing, name)
    for n in range(1, 3000):
        arguments = plain_calls.PLAIN[name]()
        _testing.alloc_fail_at(n)
        try:
            function(**arguments)
        except MemoryError as error:
            assert "finite" not in str(error)
            continue
        except (RuntimeError, OSError, TypeError):
            assert name in DEVICE
        finally:
            _testing.alloc_fail_at(0)
        return
    assert name == "alloc_fail_at"
