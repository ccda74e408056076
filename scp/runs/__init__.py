"""What lies on disk: files that are whole or absent, and what is still true of a run folder."""

from .config import made_by, read_config, run_settings, toml
from .files import naming, writing
from .folder import RunFolder, holding, keeps_start, read_log, unfinished
from .images import KnownImages
from .owner import OtherDatasetError, check_owner, free_folder, is_run_folder, opened_in
from .plain import brief, is_sealed, parse_json, read_json
from .rows import Rows
from .tensors import read_safetensors, write_safetensors

__all__ = [
    "KnownImages",
    "OtherDatasetError",
    "Rows",
    "RunFolder",
    "brief",
    "check_owner",
    "free_folder",
    "holding",
    "is_run_folder",
    "is_sealed",
    "keeps_start",
    "made_by",
    "naming",
    "opened_in",
    "parse_json",
    "read_config",
    "read_json",
    "read_log",
    "read_safetensors",
    "run_settings",
    "toml",
    "unfinished",
    "write_safetensors",
    "writing",
]
