"""config.toml: the settings of a run, a table per stage."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

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
            "sample": similarity.get("sample"),
            "random_state": config["selection"]["random_state"],
        }
        return config["dataset"], features, options
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path}: not the settings of a run ({error!r})") from None


def made_by(parameters: dict[str, Any]) -> dict[str, Any]:
    """Arguments of `scp.features.extractor_for` for features with these `parameters()`."""
    if "source" in parameters:  # people's own
        own = {"features": parameters["source"], "feature_ids": parameters.get("ids")}
        return own | ({"size": parameters["size"]} if parameters["features"] == "maps" else {})
    names = ["features", "size"]
    if parameters["features"] == "gradient":
        names += ["channels", "levels"]
    return {name: parameters[name] for name in names}


def toml(tables: dict[str, dict[str, Any]]) -> str:
    """Tables of plain values as TOML; None is left out. ValueError: a text is no Unicode."""
    return tomli_w.dumps({name: _plain(table, name) for name, table in tables.items()})


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, Mapping):
        items = value.items()
        return {str(k): _plain(v, f"{name}.{k}") for k, v in items if v is not None}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(v, name) for v in value]
    if isinstance(value, np.generic):
        return _plain(value.item(), name)
    if isinstance(value, (bool, int, float)):
        return value
    return as_unicode(value, name)


def as_unicode(text: object, name: str) -> str:
    """A text that UTF-8 can hold; ValueError says what of it cannot be."""
    text = str(text)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{name}: {text!a} is not UTF-8, so it cannot be written into a file of the run; "
            "rename that file or folder"
        ) from None
    return text
