"""The directive `options`: the table of a training's options, from the rows of the core."""

from __future__ import annotations

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from scp.baselines import InstanceOptions, VaalOptions
from scp.faces import AutoencoderOptions, TransferOptions
from scp.refinement import RefinementOptions, SupervisedOptions
from scp.training import TrainingOptions

TABLES = {
    "train": TrainingOptions,
    "refine": RefinementOptions,
    "supervise": SupervisedOptions,
    "autoencode": AutoencoderOptions,
    "transfer": TransferOptions,
    "vaal": VaalOptions,
    "instances": InstanceOptions,
}
WIDTHS = 20, 15, 25, 40  # percent


class Options(Directive):
    """One row for each option: name, default, what is legal, meaning."""

    required_arguments = 1

    def run(self):
        table, group = nodes.table(), nodes.tgroup(cols=len(WIDTHS))
        group += [nodes.colspec(colwidth=width) for width in WIDTHS]
        head, body = nodes.thead(), nodes.tbody()
        head += _row([nodes.Text(text) for text in ("option", "default", "legal", "meaning")])
        for row, value in TABLES[self.arguments[0]]().rows():
            name = nodes.literal(row.name, row.name)
            body += _row([name, *map(nodes.Text, (row.text(value), row.legal, row.meaning))])
        group += [head, body]
        table += group
        return [table]


def _row(cells: list[nodes.Node]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        entry, paragraph = nodes.entry(), nodes.paragraph()
        paragraph += cell
        entry += paragraph
        row += entry
    return row


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("options", Options)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
