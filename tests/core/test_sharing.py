"""Python threads that share objects of the core: each answer is right, or the call is refused.

`make tsan` runs these tests with a core that ThreadSanitizer watches: what calls do without the GIL
must not touch the same memory. Threads that only hold the GIL make each call wait for it, which is
when an object that was given back too early is taken by another.
"""

import sys
import threading
import time
from collections import Counter

import numpy as np
import pytest

import scp
from scp import _core
from scp.networks import Network

THREADS, ROUNDS = 4, 20
RNG = np.random.default_rng(0)


def shared(work, rounds: int = ROUNDS) -> Counter:
    """What `work(thread)` says, called in several threads at once: True or False, so many times in
    each, and the errors of calls that were refused meanwhile."""
    told, stop, begin = Counter(), threading.Event(), threading.Barrier(THREADS + 2)

    def repeat(number: int) -> None:
        begin.wait()
        done = 0
        while done < rounds:
            try:
                told[bool(work(number))] += 1
                done += 1
            except RuntimeError as error:
                told[str(error)] += 1
                time.sleep(1e-4)

    def hold() -> None:
        begin.wait()
        while not stop.is_set():
            sum(range(2000))

    workers = [threading.Thread(target=repeat, args=(n,)) for n in range(THREADS)]
    holders = [threading.Thread(target=hold) for _ in range(2)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-3)
    try:
        for thread in workers + holders:
            thread.start()
        for thread in workers:
            thread.join()
    finally:
        stop.set()
        sys.setswitchinterval(interval)
    for thread in holders:
        thread.join()
    assert told[True] + told[False] == THREADS * rounds
    return told


def network() -> Network:
    net = Network()
    net.output(net.relu(net.conv(net.instance_norm(net.conv(net.input(1), 16)), 16)))
    return net


@pytest.fixture(scope="module")
def pool():
    return scp.datasets.phantom(THREADS, seed=3, size=(96, 96))


def test_one_extractor(pool):
    extractor = scp.FeatureExtractor(size=(64, 64)).fit(pool, steps=1, progress=False)
    grids = [pool.grid(i, (64, 64)) for i in range(THREADS)]
    wanted = [extractor.pyramid(grid) for grid in grids]
    assert shared(lambda n: extractor.pyramid(grids[n]) == wanted[n]) == {True: THREADS * ROUNDS}


@pytest.mark.parametrize("_", range(3))
def test_one_network_while_it_is_first_used(_):
    net = network()
    weights = net.initial(1)
    images = RNG.random((THREADS, 32, 32), dtype=np.float32)
    wanted = [network().run(image, *weights)[0] for image in images]
    told = shared(lambda n: np.array_equal(net.run(images[n], *weights)[0], wanted[n]), 5)
    assert told == {True: THREADS * 5}


def test_one_plan_answers_right_or_refuses():
    net = network()
    weights = net.initial(1)
    images = RNG.random((THREADS, 1, 64, 64, 1), dtype=np.float32)
    plan = _core.plan_create(net.graph(), 1, 64, 64, False)

    def forward(image):
        return _core.plan_forward(plan, *weights, image, 0, 0, None)[0]

    wanted = [forward(image) for image in images]
    told = shared(lambda n: np.array_equal(forward(images[n]), wanted[n]))
    assert set(told) <= {True, "plan: another call is using it"}


def test_one_trainer_trains_or_refuses(pool):
    options = scp.FeatureExtractor(training={"batch": 2, "points": 8}).options
    net = scp.FeatureExtractor(size=(64, 64)).architecture
    grids = np.stack([pool.grid(i, (64, 64)) for i in range(THREADS)])
    parts = net.graph(), grids, options.core()
    lengths = _core.contrast_measure(*parts)[1]
    trainer = _core.contrast_trainer(*parts)
    first = dict(zip(("parameters", "state"), net.initial(1), strict=True))

    def step():
        arrays = {name: np.zeros(n, np.float32) for name, n in lengths.items()} | {
            name: values.copy() for name, values in first.items()
        }
        losses, _ = _core.trainer_run(trainer, arrays, 0, np.array([1e-3]))
        return losses, arrays["parameters"]

    wanted = step()
    told = shared(lambda n: all(map(np.array_equal, step(), wanted)), 2)
    assert set(told) <= {True, "trainer: another call is using it"}


def test_queries_problems_and_pyramids_are_shared(pool):
    extractor = scp.GradientExtractor(size=(64, 64))
    store = extractor.transform(pool, max_memory=1)
    queries = scp.Queries(*store[0].at(RNG.uniform(0, 63, (40, 2))))
    found = [scp.match(pyramid, queries) for pyramid in store]
    values = RNG.random((30, 100), dtype=np.float32)
    problem = _core.select_problem(
        values, np.ones(100), np.zeros(30, np.uint8), None, 1, None, 0.0, None, 0.0
    )
    greedy = _core.select_greedy(problem, 5)
    best = scp.select(values, 3, method="exact")

    def work(n):
        value, place, _ = scp.match(store[n], queries)
        return (
            np.array_equal(value, found[n][0])
            and np.array_equal(place, found[n][1])
            and np.array_equal(_core.select_greedy(problem, 5), greedy)
            and scp.select(values, 3, method="exact") == best
        )

    assert shared(work, 10) == {True: THREADS * 10}


def test_the_number_of_threads_changes_meanwhile(pool):
    extractor = scp.GradientExtractor(size=(64, 64))
    grids = [pool.grid(i, (64, 64)) for i in range(THREADS)]
    wanted = [extractor.pyramid(grid) for grid in grids]

    def work(n):
        scp.set_threads(n % 3 + 1)
        return extractor.pyramid(grids[n]) == wanted[n]

    before = scp.get_threads()
    try:
        assert shared(work, 10) == {True: THREADS * 10}
    finally:
        scp.set_threads(before)
