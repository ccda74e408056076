"""Run folders say what is so: every claim that is changed is noticed, by `scp verify` and by the
script of docs/explanation/certificate.md, which knows nothing of this package."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import scp
from scp import InfeasibleError
from scp.cli.main import main
from scp.runs.plain import sealed

PAGE = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "certificate.md"
N = 14


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """The two parts of the page in one file."""
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    path = tmp_path_factory.mktemp("script") / "check.py"
    path.write_text(blocks[1] + "\n\n" + blocks[2])
    return path


@pytest.fixture(scope="module")
def outside(script):
    """The same as a function."""
    space = {}
    exec(compile(script.read_text(), str(script), "exec"), space)
    assert "scp" not in space and "import scp" not in script.read_text()
    return lambda run: space["check"](run, space["tree"])


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    pool = scp.datasets.phantom(N, seed=1, size=(96, 80))
    features = scp.GradientExtractor(size=(64, 64))
    folder = tmp_path_factory.mktemp("verdict") / "run"
    return scp.Run(pool, folder, features=features, progress=False)


@pytest.fixture(scope="module")
def proved(stages):
    stages.select([1, 3, 5], method="exact", exclude=[0])
    kept = stages.path.with_name("proved")
    shutil.copytree(stages.path, kept)
    return kept


@pytest.fixture
def run(proved, tmp_path):
    return Path(shutil.copytree(proved, tmp_path / "run"))


def rewrite(run, change):
    """selection.json with a change, sealed again."""
    path = run / "selection.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(sealed(content)))


def sign(run):
    """What a careful forger does: digests that fit the files."""

    def change(content):
        for name in content["certificate"]["sha256"]:
            digest = hashlib.sha256((run / name).read_bytes()).hexdigest()
            content["certificate"]["sha256"][name] = digest

    rewrite(run, change)


def test_a_run_is_what_it_says(run, script, capsys):
    verdict = scp.verify(run)
    assert verdict and verdict.faults == [] and len(verdict.shown) == 3
    assert main(["verify", str(run)]) == 0
    out = capsys.readouterr().out
    assert out.startswith("yes\n") and out.count("the best possible, proved") == 3
    assert main(["verify", str(run), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["holds"] is True
    done = subprocess.run([sys.executable, "-I", script, run], capture_output=True, check=True)
    assert done.stdout == b"yes\n"


def test_every_method_and_rule_is_checked(stages, outside):
    rng, done, proofs = np.random.default_rng(5), 0, 0
    for k in range(40):
        rules, rows = {}, rng.permutation(N).tolist()
        if rng.random() < 0.4:
            groups = rng.integers(0, 5, N).tolist()
            rules |= {"groups": [g or None for g in groups], "quota": int(rng.integers(1, 3))}
        if rng.random() < 0.3:
            rules |= {"costs": rng.integers(1, 4, N).tolist(), "budget": 9.0}
        if rng.random() < 0.3:
            rules["min_distance"] = 0.4 * rng.random()
        for name, count in (("initial", 2), ("include", 1), ("exclude", 2)):
            if rng.random() < 0.3:
                rules[name] = [rows.pop() for _ in range(count)]
        m = None if "costs" in rules and rng.random() < 0.5 else [1, 2, 4]
        method = ("exact", "swap", "exact", "greedy", "exact", "random")[k % 6]
        if method == "random":
            rules |= {"draws": 50, "checkpoints": ()}
        try:
            nodes = int(rng.choice([2, 10**6]))
            choice = stages.select(m, method=method, max_nodes=nodes, **rules)
        except InfeasibleError:
            continue
        assert scp.verify(stages).faults == []
        assert outside(stages.path)
        done, proofs = done + 1, proofs + choice.selection.proven
    assert done > 20 and 5 < proofs < done


def test_the_score_of_cycles_is_checked(tmp_path, outside):
    pool = scp.datasets.phantom(8, seed=2, size=(96, 80))
    features = scp.GradientExtractor(size=(64, 64))
    stages = scp.Run(pool, tmp_path / "run", features=features, score="cycle", progress=False)
    stages.select(3, method="exact")
    assert scp.verify(stages).faults == [] and outside(stages.path)
    cycles = np.load(stages.path / "cycles.npy")
    np.save(stages.path / "cycles.npy", cycles + 1)
    assert scp.verify(stages).faults == ["cycles.npy: not the file of this choice"]
    sign(stages.path)
    assert not scp.verify(stages) and not outside(stages.path)


CLAIMS = {
    "score": lambda c: each(c, "score", lambda x: x + 1e-4),
    "higher bound": lambda c: each(c, "upper_bound", lambda x: x + 1e-3),
    "lower bound": lambda c: each(c, "upper_bound", lambda x: x - 1e-3),
    "score and bound": lambda c: (
        each(c, "score", lambda x: x + 1e-4),
        each(c, "upper_bound", lambda x: x + 1e-4),
    ),
    "gap": lambda c: each(c, "gap", lambda x: x + 1e-3),
    "one gap": lambda c: c.update(gap=0.1),
    "gain": lambda c: c["selected"][1].update(gain=c["selected"][1]["gain"] + 1e-4),
    "order": lambda c: c["selected"].reverse(),
    "m": lambda c: c.update(m=4),
    "curve": lambda c: c["curve"].pop(0),
    "index": lambda c: c["selected"][0].update(index=0),
    "another image": lambda c: (
        c["selected"][0].update(id="000", index=0),
        c["curve"][-1]["selected"].__setitem__(0, "000"),
    ),
    "an image twice": lambda c: c["curve"][1].update(selected=c["curve"][1]["selected"][:1] * 3),
    "no such image": lambda c: c["curve"][0].update(selected=["none"]),
    "a chosen image excluded": lambda c: c["rules"].update(exclude=[c["selected"][0]["index"]]),
    "included": lambda c: c["rules"].update(include=[0], exclude=[]),
    "groups": lambda c: c["rules"].update(groups=["a"] * N, quota=1),
    "costs": lambda c: c["rules"].update(costs=[1.0] * N, budget=2.0),
    "min_distance": lambda c: c["rules"].update(min_distance=1.0),
    "images": lambda c: c.update(images=15),
    "weights": lambda c: c["certificate"].pop("weights"),
    "no certificate": lambda c: c.pop("certificate"),
    "no digests": lambda c: c["certificate"].update(sha256={}),
}


def each(content, name, change):
    """A number of the last answer, where it stands twice."""
    content[name] = content["curve"][-1][name] = change(content[name])


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_forged_claim_is_noticed(run, claim, capsys):
    rewrite(run, CLAIMS[claim])
    assert main(["verify", str(run)]) == 1
    assert capsys.readouterr().out.startswith("no\n")


def test_a_worse_choice_is_not_proved_best(stages, tmp_path, outside):
    """Everything fits together and is signed, but the choice is not the best."""
    stages.select([4], method="swap", exclude=[])
    chosen = stages.chosen()
    other = next(i for i in range(N) if i not in chosen)
    stages.select([4], method="exact", include=[other])
    run = Path(shutil.copytree(stages.path, tmp_path / "run"))
    assert scp.verify(run)
    rewrite(run, lambda c: c["rules"].update(include=[]))
    verdict = scp.verify(run)
    assert not verdict and "M = 4: " in verdict.faults[0]
    assert not outside(run)


def test_a_changed_file_is_noticed_signed_or_not(run, outside):
    values = np.load(run / "similarity.npy")
    rewritten = values.copy()
    rewritten[3] = np.minimum(1, rewritten[3] * np.float32(1.1))
    np.save(run / "similarity.npy", rewritten)
    assert scp.verify(run).faults == ["similarity.npy: not the file of this choice"]
    sign(run)
    assert not scp.verify(run) and not outside(run)


def test_a_changed_byte_of_any_file_is_noticed(run):
    rng = np.random.default_rng(0)
    for name in ("selection.json", "similarity.npy", "proof.npz", "keypoints.npz"):
        whole = (run / name).read_bytes()
        for at in rng.integers(0, len(whole), 100 if name == "selection.json" else 10):
            changed = bytearray(whole)
            changed[at] ^= 1 << rng.integers(8)
            (run / name).write_bytes(changed)
            faults = scp.verify(run).faults
            assert len(faults) == 1 and name in faults[0]
        (run / name).write_bytes(whole)
    assert scp.verify(run)


def test_a_signed_forgery_of_the_proof_proves_nothing(run):
    """Bits of the proof: whatever they say, no bound below the score passes."""
    rng = np.random.default_rng(1)
    arrays = dict(np.load(run / "proof.npz"))
    rewrite(run, lambda c: c["curve"][-1].update(upper_bound=c["score"] - 1e-3))
    rewrite(run, lambda c: c.update(upper_bound=c["score"] - 1e-3))
    for _ in range(30):
        name = str(rng.choice(["trace", "multipliers", "mu", "unit", "m", "offsets"]))
        changed = np.array(arrays[name])
        flat = changed.reshape(-1)
        flat[rng.integers(len(flat))] = rng.choice([0, 1, -1, 3, 100])
        np.savez(run / "proof.npz", **{**arrays, name: changed})
        sign(run)
        assert not scp.verify(run)


def test_proofs_of_earlier_versions_and_no_runs(run, tmp_path, capsys):
    (run / "selection.json").write_text('{"version": 1, "selected": []}')
    assert main(["verify", str(run)]) == 1
    assert "earlier version" in capsys.readouterr().out
    assert main(["verify", str(tmp_path)]) == 2
    assert "selection.json" in capsys.readouterr().err
    for text in ("", "[]", "{", "[" * 100_000, '{"certificate": 3}', "\xff"):
        (run / "selection.json").write_text(text, encoding="latin-1")
        assert main(["verify", str(run)]) == 1
        assert capsys.readouterr().out.startswith("no\n")


def test_verify_on_a_matrix_finds_what_is_wrong():
    rng = np.random.default_rng(7)
    v, w = rng.random((9, 37), np.float32), rng.random(37)
    s = scp.select(v, 3, weights=w, method="exact")
    assert scp.verify(v, s, w) == pytest.approx(s.score)
    swap = scp.select(v, 3, weights=w)
    for change in (
        {"score": s.score + 1e-3},
        {"gains": s.gains * 2},
        {"upper_bound": 0.0},
        {"upper_bound": s.upper_bound + 1},
        {"gap": 0.5},
        {"cover": np.roll(s.cover, 1)},
        {"cover_value": s.cover_value * 2},
        {"selected": s.selected[::-1]},
        {"selected": s.selected[:2], "gains": s.gains[:2]},
        {"parameters": {**s.parameters, "exclude": [0]}},
        {"certificate": None},
        {"certificate": swap.certificate},
    ):
        with pytest.raises(ValueError):
            scp.verify(v, type(s)(**{**s.__dict__, **change}), w)
    for method in ("swap", "exact"):  # bounds of 0 and less have no gap
        for low in (v - 3, v * 0):
            negative = scp.select(low, 3, weights=w, method=method)
            assert scp.verify(low, negative, w) == pytest.approx(negative.score)
    if not swap.proven:
        with pytest.raises(ValueError, match="proven"):
            scp.verify(v, type(s)(**{**swap.__dict__, "proven": True}), w)
    with pytest.raises(ValueError, match="weights"):
        scp.verify(v, s)
    with pytest.raises(ValueError):
        scp.verify(v * np.float32(0.9), s, w)
