"""The directive `verbs`: every command of scp with its options, from the parsers themselves."""

from __future__ import annotations

import argparse
import os

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from scp.cli.main import _parser


class Verbs(Directive):
    """A section for each verb: what it does, and its help."""

    def run(self):
        os.environ["COLUMNS"] = "100"
        sections = []
        for name, parser in _verbs(_parser()):
            section = nodes.section(ids=[nodes.make_id(name)], names=[name])
            section += nodes.title(text=name)
            text = parser.format_help()
            section += nodes.literal_block(text, text, language="text")
            self.state.document.note_implicit_target(section, section)
            sections.append(section)
        return sections


def _verbs(parser: argparse.ArgumentParser):
    """(name, parser) of each verb that does something, in the order of the help."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for child in action.choices.values():
                below = list(_verbs(child))
                yield from below or [(child.prog, child)]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("verbs", Verbs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
