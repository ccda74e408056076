"""config.toml: the settings of a run, a table per stage."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from .plain import read_toml


def read_config(path: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """The tables of a config.toml; an error names the file."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file; scp select makes a run folder")
    return read_toml(path)


def run_settings(path: str | os.PathLike[str]) -> tuple[dict, dict, dict]:
    """What a config.toml says of a run: its data set; `parameters()` of its features; arguments of
    `scp.Run`."""
    config = read_config(path)
    try:
        points, similarity = dict(config["keypoints"]), config["similarity"]
        features = dict(config["features"])
        made_by(features)
        options = {
            "keypoints": points.pop("method"),
            "count": points.pop("count"),
            "keypoint_options": points,
            "mode": similarity["mode"],
            "epsilon": similarity["epsilon"],
            "score": similarity["objective"],
            "random_state": config["selection"]["random_state"],
        }
        return config["dataset"], features, options
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the settings of a run ({error!r})") from None


def made_by(parameters: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `scp.features.extractor_for` for features with these `parameters()`."""
    names = ["features", "size"]
    if parameters["features"] == "gradient":
        names += ["channels", "levels"]
    return {name: parameters[name] for name in names}


def toml(tables: dict[str, dict[str, Any]]) -> str:
    """Tables of plain values as TOML; None is left out."""
    lines = []
    for table, settings in tables.items():
        lines += ["", f"[{table}]"] if lines else [f"[{table}]"]
        lines += [f"{_key(key)} = {_value(v)}" for key, v in settings.items() if v is not None]
    return "\n".join(lines) + "\n"


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)


def _value(value) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if isinstance(value, (list, tuple, np.ndarray)):
        return "[" + ", ".join(_value(v) for v in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (float, np.floating)):
        return repr(float(value))
    return json.dumps(str(value))  # a JSON string is a TOML basic string
