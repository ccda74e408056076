"""The training loop: what a step is, resuming, checkpoints, the log, and bad input."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
from textures import OPTIONS, network, pool

from scp import _core, _testing
from scp.features import train
from scp.networks import laptop

ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}  # of children: with ours


def same(a, b) -> None:
    assert list(a.arrays) == list(b.arrays)
    for name in a.arrays:
        np.testing.assert_array_equal(a.arrays[name], b.arrays[name])
    assert a.step == b.step


def start(net, seed: int = 0) -> dict[str, np.ndarray]:
    """The arrays of a training of the network before its first step."""
    parameters, state = net.initial(seed)
    moments = np.zeros((2, net.n_parameters), np.float32)
    names = ("parameters", "state", "first_moment", "second_moment")
    return dict(zip(names, (parameters, state, *moments), strict=True))


class Stop(Exception):
    pass


def stop_after(step: int):
    def callback(event):
        if event["event"] == "checkpoint" and event["step"] == step:
            raise Stop

    return callback


# ---- a step ----


@pytest.mark.parametrize("channels", [1, 3])
def test_a_step_is_its_parts(channels):
    images, net, options = pool(), network(channels), OPTIONS.set(level_weights="1,2,0.5")
    parts = net.graph(), images, options.core()
    _, lengths, side = _core.contrast_measure(*parts)
    assert side == 24
    trainer = _core.contrast_trainer(*parts)
    assert repr(trainer) == f"<scp._core.Trainer: parameters={net.n_parameters}, losses=3>"
    ours = start(net, 3)
    assert {name: len(a) for name, a in ours.items()} == lengths
    p, s, m, v = (a.copy() for a in ours.values())
    rates = np.array([1e-3, 2e-3, 1e-3])
    losses, done = _core.trainer_run(trainer, ours, 4, rates)
    assert done == 3 and losses.shape == (3, 3)

    plans = [_core.plan_create(net.graph(), 2, *hw, True) for hw in ((48, 64), (side, side))]
    for i, step in enumerate((4, 5, 6)):
        *views, crop_points, image_points, _ = _testing.contrast_sample(
            images, options.core(), side, channels, step
        )
        maps = [
            _core.plan_forward(plan, p, s, view, options.seed, 2 * step + k, None)
            for k, (plan, view) in enumerate(zip(plans, views, strict=True))
        ]
        gradients = [[np.empty_like(m) for m in view] for view in maps]
        wanted = _testing.contrast_objective(
            *maps, *gradients, crop_points, image_points, 48, 64, side, options.core()
        )
        np.testing.assert_array_equal(losses[i], wanted)
        total = np.zeros_like(p)
        for plan, gradient in zip(plans, gradients, strict=True):
            _testing.plan_backward(plan, total, None, p, gradient, None)
        _testing.train_adam(p, m, v, total, step, rates[i], options.core())
    for a, b in zip(ours.values(), (p, s, m, v), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_same_bits_at_any_number_of_threads():
    results = []
    for threads in (1, 2, 3):
        _core.set_threads(threads)
        results.append(train(pool(), network(), OPTIONS))
    same(results[0], results[1])
    same(results[0], results[2])


def test_training_learns():
    """The loss on draws that were never trained on falls."""
    net, images = network(), pool(8)
    options = OPTIONS.set(steps=150, learning_rate=3e-3, points=16)
    other = _core.contrast_trainer(net.graph(), pool(4, seed=9), options.core())

    def loss(parameters, state):
        arrays = start(net) | {"parameters": parameters.copy(), "state": state.copy()}
        losses, _ = _core.trainer_run(other, arrays, 900, np.zeros(10))
        return losses.mean(0)

    trained = train(images, net, options)
    assert (loss(trained.parameters, trained.state) < 0.8 * loss(*net.initial(0))).all()


def test_memory_is_told_before_and_not_exceeded():
    code = """
        from textures import OPTIONS, network, pool
        from scp import _core, _testing
        from scp.features.train import train
        _testing.pool_probe(1, 0)
        events, before = [], _testing.alloc_state()[0]
        train(pool(20), network(), OPTIONS.set(steps=3), callback=events.append)
        now, peak = _testing.alloc_state()
        print(events[0]["bytes"], peak - before, now - before)
    """
    out = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    told, peak, left = (int(word) for word in out.split())
    assert told * 0.5 <= peak <= told
    assert left <= 4096  # the pool's threads and the graph


def test_failing_allocations_leave_nothing_behind():
    net, images = network(), pool()
    parts = net.graph(), images, OPTIONS.core()
    before = _testing.alloc_state()[0]
    failures = 0
    for n in range(1, 400):
        arrays = start(net)
        _testing.alloc_fail_at(n)
        try:
            trainer = _core.contrast_trainer(*parts)
            _core.trainer_run(trainer, arrays, 0, np.full(1, 1e-3))
        except MemoryError:
            failures += 1
            trainer = None
            assert _testing.alloc_state()[0] == before
        else:
            break
        finally:
            _testing.alloc_fail_at(0)
    assert 20 <= failures < 399


def test_a_trainer_is_used_by_one_call_at_a_time():
    net, images = network(), pool(3, 96, 128)
    trainer = _core.contrast_trainer(net.graph(), images, OPTIONS.core())
    arrays = start(net)
    busy, release = threading.Event(), threading.Event()

    def progress(done, total):
        busy.set()
        release.wait(30)

    def run():
        _core.trainer_run(trainer, arrays, 0, np.full(60, 1e-3), progress)

    first = threading.Thread(target=run)
    first.start()
    try:
        assert busy.wait(60)
        with pytest.raises(RuntimeError, match="another call is using it"):
            _core.trainer_run(trainer, arrays, 0, np.full(1, 1e-3))
    finally:
        release.set()
        first.join()


def test_arrays_of_a_trainer_are_named():
    net = network()
    trainer = _core.contrast_trainer(net.graph(), pool(), OPTIONS.core())
    rates = np.full(1, 1e-3)
    short = start(net) | {"state": np.zeros(net.n_state + 1, np.float32)}
    with pytest.raises(ValueError, match="state must have another length"):
        _core.trainer_run(trainer, short, 0, rates)
    with pytest.raises(TypeError, match=r"first_moment must be float32 .*, got float64"):
        doubles = {"first_moment": np.zeros(net.n_parameters)}
        _core.trainer_run(trainer, start(net) | doubles, 0, rates)
    with pytest.raises(ValueError, match="parameters must be among the arrays"):
        _core.trainer_run(trainer, {}, 0, rates)
    with pytest.raises(TypeError, match=r"trainer must be Trainer, got 3"):
        _core.trainer_run(3, start(net), 0, rates)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pool": np.zeros((2, 48, 68), np.float32)}, "layer .* does not fit the size of the imag"),
        ({"pool": np.zeros((2, 8, 64), np.float32)}, "crop must be at least 2"),
        ({"weights": [1, 2]}, "level_weights must be one number per level"),
        ({"channels": 2}, "graph must have 1 or 3 input channels"),
    ],
)
def test_a_pool_or_network_that_does_not_fit(change, message):
    images, net = change.get("pool", pool()), network(change.get("channels", 1))
    options = OPTIONS.set(level_weights=change.get("weights", ()))
    for make in (_core.contrast_trainer, _core.contrast_measure):
        with pytest.raises(ValueError, match=message):
            make(net.graph(), images, options.core())


# ---- stopping and going on ----


@pytest.mark.parametrize("step", [1, 3, 7])
def test_a_resumed_run_is_the_run_that_never_stopped(tmp_path, step):
    whole = train(pool(), network(), OPTIONS, tmp_path / "whole")
    with pytest.raises(Stop):
        train(pool(), network(), OPTIONS, tmp_path / "parts", callback=stop_after(step))
    events = []
    parts = train(pool(), network(), OPTIONS, tmp_path / "parts", callback=events.append)
    assert events[0]["step"] == step
    same(whole, parts)
    assert parts.finished and parts.progress == 1
    logs = [
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("whole", "parts")
    ]
    assert [l["step"] for l in logs[0]] == [l["step"] for l in logs[1]] == [3, 6, 8]
    assert [l["lr"] for l in logs[0]] == [l["lr"] for l in logs[1]]


def test_a_finished_run_is_not_run_again(tmp_path):
    first = train(pool(), network(), OPTIONS, tmp_path)
    events = []
    second = train(pool(), network(), OPTIONS, tmp_path, callback=events.append)
    same(first, second)
    assert [e["event"] for e in events] == ["start", "end"]
    third = train(pool(), network(), OPTIONS.set(seed=1), tmp_path, resume=False)
    assert (third.parameters != first.parameters).any()


def test_kill_9_at_any_moment(tmp_path):
    whole = train(pool(), network(), OPTIONS.set(steps=60))
    code = f"""
        from textures import OPTIONS, network, pool
        from scp.features.train import train
        train(pool(), network(), OPTIONS.set(steps=60), {str(tmp_path)!r})
    """
    checkpoint = tmp_path / "checkpoint.safetensors"
    rng = np.random.default_rng(0)
    kills = 0
    for attempt in range(8):
        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], env=ENVIRONMENT)
        seen = checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
        patience = time.monotonic() + 120
        while child.poll() is None and time.monotonic() < patience:
            if checkpoint.exists() and checkpoint.stat().st_mtime_ns != seen:
                break  # it has begun to write checkpoints, all the time
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.03))
        if child.poll() is None:
            child.send_signal(signal.SIGKILL)
            kills += 1
        child.wait()
        if attempt == 0:
            assert checkpoint.exists()
    assert kills >= 1
    same(whole, train(pool(), network(), OPTIONS.set(steps=60), tmp_path))


def test_ctrl_c_finishes_the_step_and_writes(tmp_path):
    def interrupt(event):
        if event["event"] == "step":
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    options = OPTIONS.set(checkpoint_seconds=1000)
    stopped = train(pool(), network(), options, tmp_path, callback=interrupt)
    assert signal.getsignal(signal.SIGINT) is before
    assert not stopped.finished and stopped.step == 3
    assert stopped.checkpoint == tmp_path / "checkpoint.safetensors"
    same(train(pool(), network(), options, tmp_path), train(pool(), network(), options))


def test_a_second_ctrl_c_stops_at_once():
    def interrupt(event):
        if event["event"] == "step":
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(pool(), network(), OPTIONS, callback=interrupt)


def test_training_outside_the_main_thread():
    out = []
    thread = threading.Thread(target=lambda: out.append(train(pool(), network(), OPTIONS)))
    thread.start()
    thread.join()
    same(out[0], train(pool(), network(), OPTIONS))


def test_a_time_budget_records_its_progress(tmp_path):
    options = OPTIONS.set(steps=0, minutes=0.02)
    events = []
    with pytest.raises(Stop):
        train(pool(), network(), options, tmp_path, callback=stop_after(3))
    part = train(pool(), network(), options, tmp_path, callback=events.append)
    lines = [json.loads(l) for l in (tmp_path / "log.jsonl").read_text().splitlines()]
    progress = [l["progress"] for l in lines]
    assert part.finished and part.progress == 1 and part.step > 3
    assert progress == sorted(progress) and progress[0] > 0 and progress[-1] == 1
    assert part.seconds >= 1.2


# ---- numbers that are none ----


@pytest.mark.parametrize("level", [0, 1, 2])
def test_a_loss_that_is_not_a_number_stops(tmp_path, level):
    net = network()
    parameters, state = net.initial(0)
    with pytest.raises(Stop):
        train(pool(), net, OPTIONS, tmp_path, callback=stop_after(2))
    head = net.outputs[level]
    at, n = net.blocks[head][:2]
    parameters[at : at + n] = np.nan
    with pytest.raises(FloatingPointError, match=f"loss of level {level} .* step 0; .*no check"):
        train(pool(), net, OPTIONS, initial=(parameters, state))
    with pytest.raises(FloatingPointError, match="there is no checkpoint yet"):
        train(pool(), net, OPTIONS, tmp_path, initial=(parameters, state), resume=False)
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    parameters, state = network().initial(0)
    with pytest.raises(FloatingPointError, match="not finite"):
        train(
            pool(),
            network(),
            OPTIONS.set(adam_epsilon=1e-20, weight_decay=0.0),
            tmp_path,
            initial=(parameters * np.float32(1e30), state),
        )
    assert not (tmp_path / "checkpoint.safetensors").exists()


# ---- checkpoint files ----


@pytest.fixture
def stopped(tmp_path):
    with pytest.raises(Stop):
        train(pool(), network(), OPTIONS, tmp_path, callback=stop_after(4))
    return tmp_path


def resume(folder, images=None, net=None, options=OPTIONS):
    return train(pool() if images is None else images, net or network(), options, folder)


def test_damaged_checkpoints_are_refused(stopped):
    path = stopped / "checkpoint.safetensors"
    good = path.read_bytes()
    cuts = [0, 1, 8, 100, len(good) // 2, len(good) - 1]
    for bad in (*(good[:n] for n in cuts), good + b"x", b"{}" * 50, os.urandom(500)):
        path.write_bytes(bad)
        with pytest.raises(ValueError, match=r"checkpoint\.safetensors: "):
            resume(stopped)
        assert path.read_bytes() == bad  # nothing was overwritten
    for place in (-1, -len(good) // 2, -3 * len(good) // 4):
        bad = bytearray(good)
        bad[place] ^= 1
        path.write_bytes(bad)
        with pytest.raises(ValueError, match=r"checkpoint\.safetensors: .*damaged"):
            resume(stopped)
    path.write_bytes(good)
    same(resume(stopped), train(pool(), network(), OPTIONS))


def test_foreign_checkpoints_are_refused(stopped):
    from scp.runs import read_safetensors, write_safetensors

    path = stopped / "checkpoint.safetensors"
    other = laptop(encoder=(16, 16, 32), depths=(0, 1, 1), decoder=(16, 16), channels=16)
    with pytest.raises(ValueError, match="another network; resume=False"):
        resume(stopped, net=other)
    with pytest.raises(ValueError, match="on other images"):
        resume(stopped, images=pool(seed=1))
    with pytest.raises(ValueError, match=r"with seed = 0, not 1; resume=False"):
        resume(stopped, options=OPTIONS.set(seed=1))
    with pytest.raises(ValueError, match=r"with transforms = .*"):
        resume(stopped, options=OPTIONS.set(noise=0.2))
    resume(stopped, options=OPTIONS.set(log_every=2, checkpoint_seconds=9))
    header, tensors = read_safetensors(path)
    for change, message in [
        ({"format": "model"}, "not a checkpoint"),
        ({"version": 99}, "layout 99"),
        ({"step": "x"}, "header is damaged"),
        ({"losses": None}, "header is damaged"),
        ({"options": 3}, "no options"),
    ]:
        write_safetensors(path, header | change, tensors)
        with pytest.raises(ValueError, match=message):
            resume(stopped)
    write_safetensors(path, header, tensors | {"more": tensors["state"]})
    with pytest.raises(ValueError, match="must hold parameters, state"):
        resume(stopped)
    write_safetensors(path, header, tensors | {"state": tensors["state"][1:]})
    with pytest.raises(ValueError, match="state must be float32"):
        resume(stopped)


def test_a_run_is_not_made_longer_but_goes_on_from_its_weights(tmp_path):
    done = train(pool(), network(), OPTIONS, tmp_path)
    before = (tmp_path / "checkpoint.safetensors").read_bytes()
    for length in ({"steps": OPTIONS.steps + 4}, {"minutes": 1}):
        with pytest.raises(ValueError, match=r"cannot be made longer.*start="):
            train(pool(), network(), OPTIONS, tmp_path, **length)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == before
    same(train(pool(), network(), OPTIONS, tmp_path), done)
    start = done.parameters, done.state
    more = train(pool(), network(), OPTIONS, tmp_path / "more", initial=start)
    assert more.finished and (more.parameters != done.parameters).any()


def test_a_half_written_log_is_mended(stopped):
    log = stopped / "log.jsonl"
    lines = log.read_text()
    log.write_text(lines + '{"step": 4, "prog')
    resume(stopped)
    assert [json.loads(l)["step"] for l in log.read_text().splitlines()] == [3, 6, 8]


# ---- bad input ----


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 48)), r"images must be \[N\]\[H\]\[W\]"),
        (np.zeros((0, 48, 64)), "images must be"),
        ([np.zeros((48, 64)), np.zeros((48, 65))], "one shape"),
        (np.full((1, 48, 64), 2.0), r"images\[0\] must be finite and 0..1"),
        (np.full((1, 48, 64), np.nan), r"images\[0\] must be finite"),
    ],
)
def test_bad_images(images, message):
    with pytest.raises(ValueError, match=message):
        train(images, network(), OPTIONS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"minutes": 1, "steps": 1}, "minutes, steps: give one"),
        ({"steps": 0}, "steps must be above 0"),
        ({"minutes": 0}, "minutes must be above 0"),
        ({"steps": -1}, "steps must be 0 to"),
        ({"options": OPTIONS.set(crop=0.1)}, "crop must be at least 2.levels pixels"),
        (
            {"options": OPTIONS.set(level_weights="1,2")},
            "level_weights must be one number per level",
        ),
        ({"initial": (np.zeros(3), np.zeros(3))}, "initial: parameters must have shape"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        train(pool(), network(), **({"options": OPTIONS} | arguments))
