"""The command line's part that makes the paper's tables and figures again: scp reproduce."""

from .command import add_reproduce

__all__ = ["add_reproduce"]
