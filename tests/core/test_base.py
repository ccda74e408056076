"""The base of the binding: argument errors, threads, instruction sets, random numbers, signals."""

import os
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

import scp
from scp import _core, _testing

PATIENCE = 120  # seconds until a hanging child counts as failed


def python(code: str, **variables: str) -> subprocess.CompletedProcess:
    """Runs code in a fresh interpreter with these environment variables."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


# ---- arguments ----


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: _core.set_threads(1.5), TypeError, "count must be int from 0 to 256, got 1.5"),
        (lambda: _core.set_threads("2"), TypeError, "count must be int from 0 to 256, got '2'"),
        (lambda: _core.set_threads(-1), ValueError, "count must be int from 0 to 256, got -1"),
        (lambda: _core.set_threads(257), ValueError, "count must be int from 0 to 256, got 257"),
        (lambda: _core.set_threads(2**70), ValueError, f"got {2**70}"),
        (lambda: _testing.set_isa(3), TypeError, "not int"),
        (
            lambda: _testing.set_isa("mmx"),
            ValueError,
            r"name must be one of isas\(\), got 'mmx'",
        ),
        (lambda: _core.random_words(-1, 0, 1), ValueError, "seed must be int from 0 to"),
        (lambda: _core.random_words(2**64, 0, 1), ValueError, "seed must be int from 0 to"),
        (
            lambda: _core.random_words(0, None, 1),
            TypeError,
            "stream must be int from 0 to 18446744073709551615, got NoneType",
        ),
        (lambda: _core.random_words(0, 0, -1), ValueError, "count must be int from 0"),
        (lambda: _core.random_words(0, 0, 2**60), MemoryError, "allocate"),
        (lambda: _core.random_subset(0, 0, 5, 4), ValueError, "m must be at most n, got 5"),
        (lambda: _core.random_subset(0, 0, 1, 2**32), ValueError, "n must be int from 0 to"),
        (lambda: _testing.alloc_fail_at(-1), ValueError, "n must be int from 0"),
        (
            lambda: _testing.pool_probe(1, 10**9),
            ValueError,
            "microseconds must be int from 0 to 1000000",
        ),
        (
            lambda: _testing.pool_probe(1, 1, 5),
            TypeError,
            "progress must be callable.* or None, got 5",
        ),
    ],
)
def test_errors_name_the_argument(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_an_index_that_raises_is_heard():
    class Bad:
        def __index__(self):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        _core.set_threads(Bad())


# ---- threads ----


def test_thread_count_is_set_and_reset():
    default = _core.threads()
    try:
        for count in (1, 3, np.int64(2), True):
            _core.set_threads(count)
            assert _core.threads() == count
    finally:
        _core.set_threads(0)
    assert _core.threads() == default >= 1


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("5", 5), ("256", 256)])
def test_environment_sets_the_thread_count(text, count):
    done = python("from scp import _core; print(_core.threads())", SCP_NUM_THREADS=text)
    assert done.stdout.split() == [str(count)], done.stderr


@pytest.mark.parametrize("text", ["two", "0", "-3", "1.5", "257", "1000", "9" * 99, "²"])
def test_a_bad_thread_count_is_one_sentence(text):
    sentence = f"SCP_NUM_THREADS must be a number from 1 to 256, got '{text}'"
    done = python("import scp; scp.select([[1.0]], 1)", SCP_NUM_THREADS=text)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == f"ValueError: {sentence}"
    code = "import sys; from scp.cli import main; sys.exit(main(['info']))"
    done = python(code, SCP_NUM_THREADS=text)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"error: {sentence}\n")


def test_several_python_threads_call_at_once(two_threads):
    failures = []

    def calls():
        seen = []
        for _ in range(20):
            _testing.pool_probe(20, 50, lambda done, total: seen.append((done, total)))
        if not all(0 <= done <= total == 20 for done, total in seen):
            failures.append(seen)

    threads = [threading.Thread(target=calls) for _ in range(6)]
    for thread in threads:
        thread.start()
    for count in (1, 4, 2):  # the size may change meanwhile
        _core.set_threads(count)
    for thread in threads:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    assert failures == []


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""),
    reason="the allocator of GCC 12's ASan may be locked in a forked child; "
    "tests/c forks under ASan",
)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_starts_its_own_pool(two_threads):
    _testing.pool_probe(10, 10)
    for _ in range(5):
        child = os.fork()
        if child == 0:
            signal.alarm(PATIENCE)
            try:
                _testing.pool_probe(10, 10)
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    _testing.pool_probe(10, 10)


# ---- progress, interruption ----


@pytest.mark.parametrize("count", [1, 2])
def test_progress_rises_to_at_most_the_total(count):
    seen = []
    _core.set_threads(count)
    _testing.pool_probe(100, 2000, lambda done, total: seen.append((done, total)))
    assert seen
    assert seen == sorted(seen)
    assert all(0 <= done <= total == 100 for done, total in seen)


@pytest.mark.parametrize("count", [1, 2])
def test_what_progress_raises_ends_the_call(count):
    calls = []

    def progress(done, total):
        calls.append(done)
        raise LookupError("enough")

    _core.set_threads(count)
    with pytest.raises(LookupError, match="enough"):
        _testing.pool_probe(1_000_000, 1000, progress)
    assert len(calls) == 1


def test_progress_may_call_the_core_but_not_resize_it(two_threads):
    def nested(done, total):
        _testing.pool_probe(5, 10)

    _testing.pool_probe(50, 2000, nested)

    def resizing(done, total):
        _core.set_threads(1)

    with pytest.raises(RuntimeError, match="progress"):
        _testing.pool_probe(1_000_000, 1000, resizing)
    assert _core.threads() == 2


@pytest.mark.parametrize("count", ["1", "2"])
def test_ctrl_c_interrupts(count):
    code = """if True:
        import signal
        from scp import _core, _testing
        signal.signal(signal.SIGINT, signal.default_int_handler)
        ready = False
        def progress(done, total):  # the signal comes when the call is under way
            global ready
            if not ready:
                ready = True
                print("ready", flush=True)
        try:
            _testing.pool_probe(1_000_000_000, 1000, progress)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        _testing.pool_probe(10, 10)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        env=os.environ | {"SCP_NUM_THREADS": count},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGINT)
    output, _ = child.communicate(timeout=PATIENCE)
    assert output == "interrupted\n"
    assert child.returncode == 0


# ---- instruction sets ----


def test_every_listed_set_can_be_forced():
    assert "portable" in _core.isas()
    for name in _core.isas():
        _testing.set_isa(name)
        assert _core.isa() == name
        done = python("from scp import _core; print(_core.isa())", SCP_ISA=name)
        assert done.stdout.split() == [name], done.stderr
    _testing.set_isa(None)
    assert _core.isa() == _core.isas()[-1]


def test_a_wrong_set_is_one_sentence():
    done = python("from scp import _core; _core.threads()", SCP_ISA="mmx")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last == f"ValueError: SCP_ISA must be one of {_core.isas()} on this machine, got 'mmx'"


# ---- random numbers ----


def philox(counter: list[int], key: list[int]) -> list[int]:
    """Philox4x32-10, as published (Salmon et al., SC 2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & 0xFFFFFFFF, (a >> 32) ^ c[3] ^ k[1], a & 0xFFFFFFFF]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return c


@pytest.mark.parametrize(("seed", "stream"), [(0, 0), (1, 2), (2**64 - 1, 2**63 + 5)])
def test_random_words_are_philox(seed, stream):
    expected = []
    for block in range(3):
        counter = [block, 0, stream & 0xFFFFFFFF, stream >> 32]
        expected += philox(counter, [seed & 0xFFFFFFFF, seed >> 32])
    words = _core.random_words(seed, stream, 10)
    assert words.dtype == np.uint32
    assert words.tolist() == expected[:10]
    assert _core.random_words(seed, stream, 0).shape == (0,)


def test_random_subset_is_a_subset():
    for m, n in ((0, 0), (0, 5), (5, 5), (3, 100), (50, 60)):
        subset = _core.random_subset(1, 2, m, n)
        assert subset.dtype == np.uint32
        assert subset.shape == (m,)
        assert np.all(np.diff(subset.astype(np.int64)) > 0)
        assert np.all(subset < n)
    assert not np.array_equal(
        _core.random_subset(1, 2, 5, 1000), _core.random_subset(1, 3, 5, 1000)
    )


# ---- memory ----


def test_nothing_is_outstanding_between_calls():
    before = _testing.alloc_state()[0]  # other tests' networks may live
    values = np.random.default_rng(0).random((9, 30), np.float32)
    for _ in range(2):
        scp.select(values, 3, method="exact")
        _core.random_subset(1, 2, 5, 1000)
    outstanding, peak = _testing.alloc_state()
    assert outstanding == before <= peak
