"""What lies on disk: files that are whole or absent, and what is still true of a run folder."""

from .files import naming, writing
from .folder import RunFolder, read_log, unfinished
from .images import KnownImages
from .matrix import _Table
from .records import KeptImages
from .tensors import read_safetensors, write_safetensors

__all__ = [
    "KeptImages",
    "KnownImages",
    "RunFolder",
    "_Table",
    "naming",
    "read_log",
    "read_safetensors",
    "unfinished",
    "write_safetensors",
    "writing",
]
