"""The loop of every training, on one that a reader can follow with a pencil: a network of which a
half is frozen and a half moves by SGD, a number without a network that moves by Adam, a teacher."""

from __future__ import annotations

import numpy as np
import pytest

from scp.reference.training import Loop
from scp.runs import read_safetensors, write_safetensors
from scp.training import Job, TrainingOptions, run_job

OPTIONS = TrainingOptions(steps=9, log_every=2, checkpoint_seconds=0, learning_rate=0.05)
ADAM = {**OPTIONS.core(), "beta1": 0.5, "beta2": 0.75, "adam_epsilon": 1e-3}
LENGTHS = {
    "net.parameters": 4,
    "net.state": 1,
    "free.parameters": 1,
    "free.state": 0,
    "teacher.parameters": 4,
    "teacher.state": 1,
    "net.velocity": 2,
    "free.first_moment": 1,
    "free.second_moment": 1,
}
START = {
    "net.parameters": np.arange(1.0, 5.0),
    "teacher.parameters": np.arange(1.0, 5.0),
    "free.parameters": np.array([5.0]),
}


def step(arrays, number):
    w, f = arrays["net.parameters"], arrays["free.parameters"]
    arrays["net.state"] += 1
    losses = np.array([((w - number) ** 2).sum() / 2, ((f - 1) ** 2).sum() / 2])
    return losses, {"net": w - number, "free": f - 1}


def job(step=step, **changes) -> Job:
    groups = [("net", slice(2, 4), "sgd", {"momentum": 0.5, "decay": 0.25})]
    loop = Loop(step, [*groups, ("free", slice(None), "adam", ADAM)], {"teacher": ("net", 0.75)})
    values = {
        "create": lambda: loop,
        "bytes": 0,
        "arrays": LENGTHS,
        "initial": START,
        "losses": ["the net", "the number"],
        "identity": {"images": "none"},
        "run": lambda trainer, arrays, first, rates: trainer.run(arrays, first, rates),
    }
    return Job(**values | changes)


class Stop(Exception):
    pass


def stop_after(number: int):
    def callback(event):
        if event["event"] == "checkpoint" and event["step"] == number:
            raise Stop

    return callback


def test_what_moves_and_what_does_not():
    trained = run_job(job(), OPTIONS)
    assert trained.finished and trained.step == 9 and list(trained.arrays) == list(LENGTHS)
    w, teacher = trained.arrays["net.parameters"], trained.arrays["teacher.parameters"]
    assert w[:2].tolist() == [1, 2], "frozen"
    assert teacher[:2].tolist() == [1, 2]
    assert (w[2:] != [3, 4]).all() and (teacher[2:] != w[2:]).all()
    assert trained.arrays["net.state"] == 9 and trained.arrays["teacher.state"] == 0
    assert abs(trained.arrays["free.parameters"][0] - 1) < 4


@pytest.mark.parametrize("number", [1, 4, 8])
def test_a_resumed_run_is_the_run_that_never_stopped(tmp_path, number):
    whole = run_job(job(), OPTIONS, tmp_path / "whole")
    with pytest.raises(Stop):
        run_job(job(), OPTIONS, tmp_path / "parts", callback=stop_after(number))
    events = []
    parts = run_job(job(), OPTIONS, tmp_path / "parts", callback=events.append)
    assert events[0]["step"] == number
    for name in LENGTHS:
        np.testing.assert_array_equal(parts.arrays[name], whole.arrays[name])
    lines = [(tmp_path / run / "log.jsonl").read_text().count("\n") for run in ("whole", "parts")]
    assert lines[0] == lines[1] == 5


def test_a_checkpoint_of_other_arrays_is_refused(tmp_path):
    run_job(job(), OPTIONS, tmp_path)
    fewer = {name: n for name, n in LENGTHS.items() if not name.startswith("teacher")}
    with pytest.raises(ValueError, match=r"it must hold net\.parameters, .*, got \["):
        run_job(job(arrays=fewer, initial={}), OPTIONS, tmp_path)
    with pytest.raises(ValueError, match=r"net\.velocity must be float32 \[3\], got float32 \[2\]"):
        run_job(job(arrays=LENGTHS | {"net.velocity": 3}), OPTIONS, tmp_path)
    with pytest.raises(ValueError, match="another network"):
        run_job(job(identity={"network": "x", "images": "none"}), OPTIONS, tmp_path)


def test_an_option_newer_than_the_checkpoint_had_its_default(tmp_path):
    with pytest.raises(Stop):
        run_job(job(), OPTIONS, tmp_path, callback=stop_after(4))
    path = tmp_path / "checkpoint.safetensors"
    header, arrays = read_safetensors(path)
    options = {name: v for name, v in header["options"].items() if name != "clip_norm"}
    write_safetensors(path, header | {"options": options}, arrays)
    with pytest.raises(ValueError, match=r"started with clip_norm = 0\.0, not 2\.0"):
        run_job(job(), OPTIONS.set(clip_norm=2), tmp_path)
    assert run_job(job(), OPTIONS, tmp_path).step == 9


def test_a_loss_that_is_not_finite_is_named(tmp_path):
    def broken(arrays, number):
        losses, gradients = step(arrays, number)
        return (losses * [1, np.nan] if number == 5 else losses), gradients

    with pytest.raises(FloatingPointError, match="the loss of the number is not finite at step 5"):
        run_job(job(broken), OPTIONS, tmp_path)
    with pytest.raises(FloatingPointError, match="the last good checkpoint, of step 5, is"):
        run_job(job(broken), OPTIONS, tmp_path)


def test_a_checkpoint_with_an_old_name_goes_on(tmp_path):
    with pytest.raises(Stop):
        run_job(job(), OPTIONS.set(negatives="plain"), tmp_path, callback=stop_after(4))
    path = tmp_path / "checkpoint.safetensors"
    header, arrays = read_safetensors(path)
    options = {name: v for name, v in header["options"].items() if name != "negatives"}
    write_safetensors(path, header | {"options": options | {"objective": "plain"}}, arrays)
    with pytest.raises(ValueError, match="started with negatives = plain, not windowed"):
        run_job(job(), OPTIONS, tmp_path)
    assert run_job(job(), OPTIONS.set(negatives="plain"), tmp_path).step == 9
