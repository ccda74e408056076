"""Search over the settings of the `laptop` preset: train on the fit half, judge on the other.

    python benchmarks/search_laptop.py ROOT --list
    python benchmarks/search_laptop.py ROOT --minutes 10 --only base,points16
    python benchmarks/search_laptop.py ROOT --show

Every setting is trained from nothing on the fit half of the training images, without a label, and
its landmark accuracy is measured on the validation half (benchmarks/accuracy.py). No test image is
read. One after the other, in the order of SETTINGS or of --only; each adds a line to the table, a
file of JSON lines. What is in the table is skipped, a stopped training goes on: start the command
again. --minutes are wall clock, so settings compare on an idle machine only; --steps compares equal
numbers of steps. ROOT: the ISBI 2015 cephalograms, or: phantom.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from accuracy import add_options, evaluate, training_images
from common import machine

import scp
from scp.datasets import validation_split


@dataclass(frozen=True)
class Setting:
    """What differs from the preset. stages: (size, fraction of the length, training) in turn, each
    starting from the weights of the one before; empty: one stage at `size`."""

    why: str
    training: dict = field(default_factory=dict)
    network: dict = field(default_factory=dict)
    size: int | None = None
    seed: int = 0
    stages: tuple = ()

    def parts(self):
        """The stages: an untrained extractor and the fraction of the length."""
        size = self.size or scp.networks.PRESETS["laptop"].size[0]
        for side, part, training in self.stages or ((size, 1.0, {}),):
            options = {**self.training, **training}
            yield (
                scp.FeatureExtractor(
                    preset="laptop",
                    random_state=self.seed,
                    size=(side, side),
                    network=self.network,
                    training=options,
                ),
                part,
            )

    def content(self):
        """All that decides the result, the preset's values too, as plain values."""
        stages = [
            {
                "size": e.grid_size[0],
                "part": part,
                "network": e.architecture.digest()[:12],
                "training": e.options.to_dict(),
            }
            for e, part in self.parts()
        ]
        return {"training": self.training, "network": self.network, "stages": stages}


def off(*names, **more):
    """Transforms switched off."""
    return {**dict.fromkeys(names, 0), **more}


PHOTOMETRIC = ("blur", "gamma", "shade_multiply", "shade_add", "noise")

SETTINGS = {
    "base": Setting("the preset as it is"),
    "seed1": Setting("how far chance alone moves the result", seed=1),
    "seed2": Setting("the same", seed=2),
    # which parts of the augmentation matter
    "paper_augmentation": Setting(
        "rotation, brightness and contrast of the crop only",
        off("scale", "elastic", *PHOTOMETRIC, brightness="0.15@crop", contrast="0.25@crop"),
    ),
    "geometric_only": Setting("no photometric change beyond the paper's", off(*PHOTOMETRIC)),
    "photometric_only": Setting("no scale, no elastic", off("scale", "elastic")),
    "no_elastic": Setting("the part that changes anatomy", off("elastic")),
    "no_scale": Setting("patients and magnification differ", off("scale")),
    "no_gamma": Setting("exposure", off("gamma")),
    "no_shading": Setting("slow changes of brightness", off("shade_multiply", "shade_add")),
    "no_noise": Setting("grain", off("noise")),
    "no_blur": Setting("sharpness", off("blur")),
    "one_view": Setting(
        "photometric changes of the crop only: half the work",
        {
            "blur": "0.7@crop",
            "brightness": "0.15@crop",
            "contrast": "0.25@crop",
            "gamma": "0.5@crop",
            "shade_multiply": "0.15@crop",
            "shade_add": "0.08@crop",
            "noise": "0.04@crop",
        },
    ),
    "elastic_more": Setting("more anatomy", {"elastic": 0.025}),
    "scale_more": Setting("more magnification", {"scale": 0.35}),
    "rotation_less": Setting("heads are held upright", {"rotation": 10}),
    "rotation_more": Setting("the same, the other way", {"rotation": 35}),
    "photometric_more": Setting(
        "twice the photometric changes",
        {"gamma": 0.9, "shade_multiply": 0.3, "shade_add": 0.15, "noise": 0.08, "contrast": 0.5},
    ),
    # the loss
    "points16": Setting("points are cheap: how many are enough", {"points": 16}),
    "points64": Setting("the same", {"points": 64}),
    "points1024": Setting("are more than the preset's 256 better", {"points": 1024}),
    "points1": Setting("the paper's code draws one", {"points": 1}),
    "temperature_low": Setting("sharper", {"temperature": 0.05}),
    "temperature_high": Setting("softer", {"temperature": 0.2}),
    "window7": Setting("nearer negatives only", {"window": 7}),
    "window20": Setting("more negatives", {"window": 20}),
    "no_margin": Setting("is the handicap of far negatives of use", {"margin": 0}),
    "plain": Setting(
        "all cells are negatives, no margin (the paper, Eq. 11)", {"negatives": "plain"}
    ),
    "fine_levels": Setting(
        "more weight on the fine levels", {"level_weights": (0.5, 0.75, 1.0, 1.5, 2.0)}
    ),
    # steps
    "batch1": Setting("more steps in the same time", {"batch": 1}),
    "batch4": Setting("calmer steps", {"batch": 4}),
    "batch8": Setting("calmer steps", {"batch": 8}),
    "crop34": Setting("cheaper crops, less context", {"crop": 0.34}),
    "crop67": Setting("dearer crops, more context", {"crop": 0.67}),
    "rate_half": Setting("learning rate", {"learning_rate": 5e-4}),
    "rate_double": Setting("learning rate", {"learning_rate": 2e-3}),
    "rate_four": Setting("learning rate, with a warm-up", {"learning_rate": 4e-3, "warm_up": 0.05}),
    "no_decay": Setting("weight decay", {"weight_decay": 0}),
    # the network
    "narrow": Setting(
        "half the widths: more steps",
        network={"encoder": (16, 32, 64, 64, 64), "decoder": (32, 32, 16, 16)},
    ),
    "wide": Setting(
        "twice the widths: fewer steps",
        network={"encoder": (64, 128, 192, 256, 256), "decoder": (128, 128, 64, 64)},
    ),
    "deep": Setting(
        "two convolutions more where they are cheap",
        network={"depths": (1, 2, 2, 3, 2), "decoder_depth": 2},
    ),
    "channels16": Setting("shorter vectors: matching costs half", network={"channels": 16}),
    "channels64": Setting("longer vectors", network={"channels": 64}),
    # the size of images
    "size256": Setting("2.25 times the steps", size=256),
    "size192": Setting("4 times the steps", size=192),
    "size256_384": Setting("coarse first, then full size", stages=((256, 0.6, {}), (384, 0.4, {}))),
    "size192_384": Setting("the same, further apart", stages=((192, 0.5, {}), (384, 0.5, {}))),
}


def key(name, content, options):
    """What makes two results of the table the same experiment."""
    length = {"minutes": options.minutes} if options.steps is None else {"steps": options.steps}
    return json.loads(
        json.dumps(
            {"name": name, **content, **length, "data": options.data, "sample": options.sample}
        )
    )


def read(table):
    """The lines of the table; one that was cut off is left out."""
    lines = []
    for line in Path(table).read_text().splitlines() if Path(table).exists() else []:
        try:
            lines.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return lines


def commit():
    """The commit that ran, with a + when files were changed."""
    here = Path(__file__).parent
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty=+"],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def fit_half(data, cache):
    """The images that may be trained on."""
    images = training_images(data, cache)
    return images.subset(validation_split(images.ids)[0])


def run_one(setting, options, folder):
    """Trains and judges; the facts for the table."""
    start, steps, seconds = None, 0, 0.0
    for number, (extractor, part) in enumerate(setting.parts()):
        extractor.start = start
        length = (
            {"minutes": options.minutes * part}
            if options.steps is None
            else {"steps": max(1, round(options.steps * part))}
        )
        run = folder / f"stage{number}"
        images = fit_half(options.data, options.cache)
        extractor.fit(images, run=run, progress=False, **length)
        start = run / "weights.safetensors"
        steps += extractor.trained_.step
        seconds += extractor.trained_.seconds
    result = evaluate(extractor, options.data, "validation", options.sample, cache=options.cache)
    losses = [round(float(v), 4) for v in extractor.trained_.losses]
    return {
        "steps": steps,
        "seconds": round(seconds, 1),
        "losses": losses,
        "result": result,
        "parameters": extractor.architecture.n_parameters,
    }


def show(lines):
    """The table for people, best first, in Markdown."""
    print(
        "| setting | length | steps | MRE of 75 templates | best | pick, M = 1 | M = 5, Eq. 3 | "
        "M = 5, agreeing |\n|---|---|---|---|---|---|---|---|"
    )
    for line in sorted(lines, key=lambda x: x["result"]["mean"]):
        r, k = line["result"], line["key"]
        length = f"{k['minutes']:g} min" if "minutes" in k else f"{k['steps']} steps"
        one, five = r["pick1"], r["pick5"]
        print(
            f"| {k['name']} | {length} | {line['steps']} | {r['mean']:.2f} +- {r['sd']:.2f} | "
            f"{r['best']:.2f} | {one['confident']:.2f} | {five['confident']:.2f} | "
            f"{five['agreeing']:.2f} |"
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_options(parser)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--steps", type=int, help="train that many steps instead of minutes")
    parser.add_argument("--only", help="names of settings, comma between, in this order")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one more setting, called after it: a training option",
    )
    parser.add_argument(
        "--runs",
        default=Path(tempfile.gettempdir(), "scp-search"),
        help="folder of the trainings; the table is table.jsonl in it",
    )
    parser.add_argument("--list", action="store_true", help="name the settings and stop")
    parser.add_argument("--show", action="store_true", help="print the table and stop")
    options = parser.parse_args()
    if options.on != "validation":
        parser.error("--on: settings are chosen on the validation half only")
    table = Path(options.runs) / "table.jsonl"
    lines = read(table)
    if options.show:
        show(lines)
        return
    settings = dict(SETTINGS)
    if options.set:
        values = dict(item.split("=", 1) for item in options.set)
        settings = {",".join(options.set): Setting("from the command line", values)}
    elif options.only:
        unknown = [n for n in options.only.split(",") if n not in SETTINGS]
        if unknown:
            parser.error(f"--only: no setting is called {unknown[0]}; see --list")
        settings = {n: SETTINGS[n] for n in options.only.split(",")}
    known = [line["key"] for line in lines]
    todo = {n: s for n, s in settings.items() if key(n, s.content(), options) not in known}
    print(f"{machine()}\n{len(settings) - len(todo)} done, {len(todo)} to do, table {table}")
    for name, setting in todo.items():
        print(f"{name}: {setting.why}", flush=True)
        if options.list:
            continue
        identity = key(name, setting.content(), options)
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
        folder = Path(options.runs) / f"{name.replace('/', '-')}-{digest}"
        started, worked = time.time(), time.process_time()
        facts = run_one(setting, options, folder)
        line = {
            "key": identity,
            **facts,
            "wall": round(time.time() - started, 1),
            "cpu": round(time.process_time() - worked, 1),
            "load": os.getloadavg()[1],
            "commit": commit(),
            "date": time.strftime("%Y-%m-%dT%H:%M:%S"),
        }
        table.parent.mkdir(parents=True, exist_ok=True)
        with table.open("a") as file:
            file.write(json.dumps(line) + "\n")
        r = facts["result"]
        print(
            f"  {facts['steps']} steps, losses {facts['losses']}: MRE {r['mean']:.3f} +- "
            f"{r['sd']:.3f}, pick {r['pick1']['confident']:.3f} mm",
            flush=True,
        )


if __name__ == "__main__":
    sys.exit(main())
