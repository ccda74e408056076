"""Signals and streams that end: what was done is kept, and one line says so."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

import scp
from scp import cli

SMALL = ["--size", "64", "--set", "log_every=1", "--set", "batch=1", "--set", "points=8"]
ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def start(words, **options):
    # A shell that starts a program in the background lets it ignore Ctrl-C.
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options}
    code = "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "from scp.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen([sys.executable, "-c", code, *map(str, words)], **options)


def wait_for(process, ready):
    patience = time.monotonic() + 60
    while process.poll() is None and not ready() and time.monotonic() < patience:
        time.sleep(0.002)
    assert process.poll() is None, process.communicate()


def lines(path):
    return path.read_text().count("\n") if path.exists() else 0


@pytest.mark.parametrize("number", ENDING)
def test_a_training_finishes_its_step_and_writes_it_down(images, tmp_path, number):
    words = ["train", images, "--run", tmp_path, "--minutes", "9", *SMALL]
    process = start(words)
    wait_for(process, lambda: lines(tmp_path / "log.jsonl") >= 2)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert error.splitlines() == ["stopped; the same command goes on from here"]
    header, _ = scp.runs.read_safetensors(tmp_path / "checkpoint.safetensors")
    assert header["step"] == lines(tmp_path / "log.jsonl") >= 2
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "checkpoint.safetensors",
        "dataset.json",
        "log.jsonl",
    ]


TRAINING = """
import sys, scp
pool = scp.datasets.phantom(3, size=(80, 64))
scp.FeatureExtractor(size=(64, 64), training={"log_every": 1, "batch": 1, "points": 8}).fit(
    pool, minutes=9, run=sys.argv[1], progress=False)
"""


def test_a_program_of_its_own_ends_by_the_signal_after_the_checkpoint(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", TRAINING, tmp_path])
    wait_for(process, lambda: lines(tmp_path / "log.jsonl") >= 2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM
    header, _ = scp.runs.read_safetensors(tmp_path / "checkpoint.safetensors")
    assert header["step"] == lines(tmp_path / "log.jsonl")


def test_nohup_is_respected(images, tmp_path):
    code = "import signal, sys; signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
    code += "from scp.cli import main; sys.exit(main(sys.argv[1:]))"
    words = ["train", images, "--run", tmp_path, "--steps", "40", *SMALL]
    process = subprocess.Popen([sys.executable, "-c", code, *map(str, words)])
    wait_for(process, lambda: lines(tmp_path / "log.jsonl") >= 2)
    process.send_signal(signal.SIGHUP)
    assert process.wait(60) == 0 and (tmp_path / "weights.safetensors").exists()


@pytest.mark.parametrize("number", ENDING)
def test_a_choice_stops_and_goes_on(images, tmp_path, number):
    words = ["select", images, "--run", tmp_path, "-m", "2", "--quiet"]
    process = start(words)
    wait_for(process, lambda: (tmp_path / "images.json").exists())
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    if process.returncode:  # it may have been faster than the signal
        assert process.returncode == 128 + number
        assert error.splitlines()[-1] == "stopped; the same command goes on from here"
    assert cli.main([*map(str, words)]) == 0


def test_the_command_line_leaves_handlers_as_they_were(images, tmp_path):
    before = [signal.getsignal(number) for number in ENDING]
    cli.main(["select", str(images), "--run", str(tmp_path), "--estimate", "--quiet"])
    assert [signal.getsignal(number) for number in ENDING] == before


@pytest.mark.parametrize("number", ENDING)
@pytest.mark.parametrize("moment", ["_parser", "_given"])
def test_a_signal_while_the_command_is_read_is_one_line(monkeypatch, capsys, moment, number):
    module = sys.modules["scp.cli.main"]
    monkeypatch.setattr(module, moment, lambda *_: signal.raise_signal(number))
    assert cli.main(["info"]) == 128 + number
    assert capsys.readouterr().err == "stopped; the same command goes on from here\n"


@pytest.mark.parametrize("how", ["scp", "-m"])
def test_ctrl_c_while_importing_is_one_line(tmp_path, how):
    (tmp_path / "scp").write_text("import sys; from scp.cli import main; sys.exit(main())")
    command = [sys.executable, tmp_path / "scp" if how == "scp" else "-m"]
    command += [] if how == "scp" else ["scp"]
    package = os.path.dirname(os.path.dirname(scp.__file__))
    environment = {**os.environ, "PYTHONPATH": package}
    seen = set()
    for delay in (0.12, 0.2, 0.3, 0.4, 0.6):
        process = subprocess.Popen(
            [*command, "info"], env=environment, stderr=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )  # fmt: skip
        maps = f"/proc/{process.pid}/maps"
        patience = time.monotonic() + 20
        while time.monotonic() < patience and process.poll() is None:
            with open(maps) as file:  # NumPy is imported by scp: its handler is there
                if "_multiarray_umath" in file.read():
                    break
            time.sleep(0.002)
        time.sleep((delay - 0.12) / 4)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
        assert "Traceback" not in error, error
        if process.returncode:
            assert process.returncode == 130 and error.startswith("stopped")
            assert error.count("\n") == 1 and not out
        seen.add(process.returncode)
    assert 130 in seen


def test_a_program_that_imports_scp_keeps_its_ctrl_c():
    code = (
        "import signal, scp; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"


# ---- the mean loss ----


def test_the_mean_loss_of_an_interval_is_that_of_an_uninterrupted_run(tmp_path):
    pool = scp.datasets.phantom(3, size=(80, 64))

    def fit(run, stop=()):
        training = {"log_every": 4, "batch": 1, "points": 8, "checkpoint_seconds": 0}
        extractor = scp.FeatureExtractor(size=(64, 64), training=training)

        def callback(event):
            if event["event"] == "checkpoint" and event["step"] in stop:
                raise RuntimeError("killed")

        try:
            extractor.fit(pool, steps=12, run=run, progress=False, callback=callback)
        except RuntimeError:
            return
        assert extractor.trained_.finished

    def log(run):
        entries = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
        return [(entry["step"], entry["loss"], entry["levels"]) for entry in entries]

    fit(tmp_path / "whole")
    for k, stops in enumerate(([2], [3, 5, 6, 11], [4, 8, 12])):
        run = tmp_path / str(k)
        for stop in stops:
            fit(run, {stop})
            assert not (run / "weights.safetensors").exists()
        fit(run)
        assert log(run) == log(tmp_path / "whole")


# ---- streams ----


@pytest.mark.parametrize(
    "shell, code",
    [
        ("{} | head -1", 0),
        ("{} 2>&1 | head -1", 0),
        ("{} | true", 0),
        ("{} >&-", 0),
        ("{} 2>&-", 0),
        ("{} >&- 2>&-", 0),
        ("{} >/dev/full", 2),
        ("{} <&-", 0),
    ],
)
def test_a_reader_that_goes_stops_no_run(images, tmp_path, shell, code):
    run = tmp_path / "run"
    command = f"{sys.executable} -m scp select {images} -m 2 --run {run} --size 64 --count 10"
    done = subprocess.run(
        ["bash", "-c", "set -o pipefail; " + shell.format(command)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run / "report.html").exists() and (run / "selection.json").exists()
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert done.returncode == code, done.stderr
    if code:
        assert re.search(r"^error: .*output.*No space left", done.stderr, re.MULTILINE)


def test_files_of_a_run_never_get_the_numbers_of_the_streams(tmp_path):
    code = (
        "import os, sys; from scp.cli.terminal import safe_terminal\n"
        "with safe_terminal(): n = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)\n"
        "os.write(n, str(n).encode())"
    )
    command = f"{sys.executable} -c '{code}' {tmp_path / 'file'} <&- >&- 2>&-"
    subprocess.run(["bash", "-c", command], check=True)
    assert int((tmp_path / "file").read_text()) > 2


def test_json_for_a_reader_that_goes(images, tmp_path):
    command = f"{sys.executable} -m scp select {images} -m 2 --run {tmp_path} --size 64 --json"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} --count 10 --quiet | head -c 1"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "{", "")
