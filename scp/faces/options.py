"""Every option of both stages of 3FabRec."""

from __future__ import annotations

from ..training.options import Options, options_of


@options_of("autoencode")
class AutoencoderOptions(Options):
    """How to train the adversarial auto-encoder; the defaults are the published ones."""


@options_of("transfer")
class TransferOptions(Options):
    """How to train the transfer layers; the defaults are the published ones."""
