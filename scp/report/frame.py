"""The frame that all pages share: head, style sheet, content security policy; templates filled."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from importlib import resources
from typing import Any

ROWS = 200  # rows of a list or table


def page(name: str, context: dict[str, Any], script: str = "") -> str:
    """A template of this folder that extends frame.html, with the style sheet and a script in it,
    everything escaped."""
    from markupsafe import Markup

    style = asset("colours.css") + asset("plots.css") + asset("report.css")
    return part(
        name,
        context
        | {
            "style": Markup(style),
            "script": Markup(script),
            "style_hash": hashed(style),
            "script_hash": hashed(script),
        },
    )


def asset(name: str) -> str:
    """A file of this folder."""
    return (resources.files(__package__) / name).read_text(encoding="utf-8")


def part(name: str, context: dict[str, Any], source: Callable[[str], str] = asset) -> str:
    """A template of this folder, or of where `source` finds it, everything escaped."""
    from jinja2 import Environment, FunctionLoader

    environment = Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(source)
    )
    return environment.get_template(name).render(context)


def hashed(content: str) -> str:
    """The content security policy's name for exactly this inline style or script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode("utf-8")).digest()).decode()
