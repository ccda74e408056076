"""Lists, numbers and names on the command line: what is read, refused, and shown."""

from __future__ import annotations

import argparse
import io
import os
import sys
import unicodedata
import warnings

import numpy as np
import pytest

import scp
from scp.cli import main
from scp.cli.arguments import counts, names, split_sizes
from scp.cli.terminal import Terminal, safe_terminal

SMALL = ["--size", "96", "--count", "20", "--quiet", "--no-report"]


@pytest.fixture
def folder(images, tmp_path):
    """Links to three radiographs, one with a decomposed name."""
    root = tmp_path / "images"
    root.mkdir()
    for k, name in enumerate(("a.png", unicodedata.normalize("NFD", "Mü.png"), "c.png")):
        (root / name).write_bytes((images / f"p{k}.png").read_bytes())
    return root


def select(folder, tmp_path, *words):
    return main(["select", str(folder), "--run", str(tmp_path / "run"), *words, *SMALL])


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_lists_of_any_editor(folder, tmp_path, capsys, encoding):
    groups, ids = tmp_path / "g.csv", tmp_path / "l.txt"
    groups.write_bytes(
        '"image","patient"\n"a.png","P"\n"Mü.png","P"\n"c.png",""\n'.encode(encoding)
    )
    assert select(folder, tmp_path, "-m", "2", "--groups", str(groups)) == 0
    assert "c.png" in capsys.readouterr().out
    assert select(folder, tmp_path, "-m", "3", "--groups", str(groups)) == 2
    assert "2 groups" in capsys.readouterr().err
    ids.write_bytes('id\r\n"Mü.png"\r\n'.encode(encoding))
    assert select(folder, tmp_path, "-m", "2", "--exclude", f"@{ids}") == 0
    out = capsys.readouterr().out
    assert "a.png" in out and "c.png" in out
    groups.write_bytes("a.png,P\nzz.png,P\n".encode(encoding))
    assert select(folder, tmp_path, "-m", "2", "--groups", str(groups)) == 2
    assert "g.csv, line 2: no image is called 'zz.png'" in capsys.readouterr().err
    groups.write_bytes("a.png,P\n".encode(encoding))
    assert select(folder, tmp_path, "-m", "2", "--groups", str(groups)) == 0
    assert "2 of 3 images have no group" in capsys.readouterr().err


def test_costs(folder, tmp_path, capsys):
    costs = tmp_path / "costs.csv"
    words = ["-m", "any", "--costs", str(costs), "--budget", "2"]
    for text, message in (
        ("a,1\nc,1\nMü,one\n", "costs.csv, M"),
        ("a,1\nc,1\n", "costs.csv: no cost for 'Mu\u0308.png' (1 missing)"),
        ("a,1\nc,1\nMü,-1\n", "is empty or below 0"),
        ("a,1\nc,1\nMü,\n", "is empty or below 0"),
    ):
        costs.write_text(text)
        assert select(folder, tmp_path, *words) == 2
        assert message in capsys.readouterr().err
    costs.write_text("cost,image\n1,a\n1,c\n9,Mü\n")
    assert select(folder, tmp_path, *words) == 0
    assert "Annotate these 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    "text",
    ["1-10000000000", "10000000000", "9" * 5000, "1-" + "9" * 5000, "0", "5-1", "1,,2", "-1"],
)
def test_counts_that_are_refused_at_once(text, capsys):
    with pytest.raises(SystemExit):
        main(["select", "images", f"-m={text}"])
    assert "M must be" in (said := capsys.readouterr().err) or "is not like 5" in said
    assert len(said) < 2000


def test_counts():
    assert counts("1-3,7") == [1, 2, 3, 7] and counts("any") is None
    assert split_sizes("5,3") == (5, 3) and names("a, b,") == ["a", "b"]
    assert names('"a,b.png",c') == ["a,b.png", "c"] and names('"a\nb",c') == ["a\nb", "c"]
    with pytest.raises(argparse.ArgumentTypeError):
        names("a" * 200_000)


def test_any_needs_a_budget(folder, tmp_path, capsys):
    assert select(folder, tmp_path, "-m", "any") == 2
    assert "-m any" in (said := capsys.readouterr().err) and "--budget" in said


def test_names_never_steer_a_terminal(images, tmp_path, capsys):
    root = tmp_path / "images"
    root.mkdir()
    names = ["a\x1b[31m.png", "b\n  9. fake.png", "c\u202egnp.png"]
    for k, name in enumerate(names):
        (root / name).write_bytes((images / f"p{k}.png").read_bytes())
    assert select(root, tmp_path, "-m", "3") == 0
    said = capsys.readouterr().out
    assert not set("\x1b\u202e") & set(said) and "\n  9. fake" not in said
    assert "a\\u001b[31m.png" in said and "b\\u000a  9. fake.png" in said
    marks = tmp_path / "marks.csv"
    scp.write_landmarks(marks, scp.Landmarks(names[:1], ["p"], [[[60, 60]]]))
    command = ["detect", str(root), "--templates", str(marks), "--run", str(tmp_path / "run")]
    assert main([*command, "--size", "96", "--quiet"]) == 0
    assert select(root, tmp_path, "-m", "1", "--exclude", "x\x1b[31m") == 2
    truth = ["evaluate", str(tmp_path / "run" / "landmarks.csv"), str(marks)]
    assert main(truth) == 0
    said = capsys.readouterr()
    assert not set("\x1b\u202e") & set(said.out + said.err) and "\n  9. fake" not in said.out


def test_names_that_are_not_utf8_are_named_before_the_work(images, tmp_path, capsys):
    root = os.fsencode(tmp_path / "images")
    os.mkdir(root)
    for k, name in enumerate((b"a.png", b"b\xff.png", b"c.png")):
        with open(os.path.join(root, name), "wb") as file:
            file.write((images / f"p{k}.png").read_bytes())
    assert select(tmp_path / "images", tmp_path, "-m", "1") == 2
    assert "b'b\\xff.png': the name is not UTF-8" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert select(tmp_path / "images", tmp_path, "-m", "1", "--on-error", "skip") == 0
    said = capsys.readouterr()
    assert "left out: 1 entry" in said.err and "Annotate these 1" in said.out
    os.rename(root, root + b"\xfe")
    assert main(["select", os.fsdecode(root + b"\xfe"), "-m", "1", *SMALL]) == 2
    assert "is not UTF-8" in capsys.readouterr().err
    with pytest.raises(scp.datasets.DatasetError, match="not UTF-8"):
        scp.datasets.arrays([np.zeros((4, 4), np.uint8)], ["\udcff"])
    with pytest.raises(scp.datasets.DatasetError, match="not UTF-8"):
        scp.datasets.folder(os.fsdecode(root + b"\xfe"), on_error="skip")


def test_a_terminal_without_the_letters():
    raw = io.BytesIO()
    stream = Terminal(io.TextIOWrapper(raw, encoding="ascii", write_through=True))
    print("Mü\x07", file=stream)
    stream.writelines(["\r10 %|\x1b", "\udcff\n"])
    assert raw.getvalue() == b"M\\xfc\\u0007\n\r10 %|\\u001b\\udcff\n"


def test_warnings_are_one_line(capsys):
    with safe_terminal():
        warnings.warn("a\nb\x1b", stacklevel=1)
    assert capsys.readouterr().err == "warning: a\\u000ab\\u001b\n"
    assert not isinstance(sys.stderr, Terminal)
