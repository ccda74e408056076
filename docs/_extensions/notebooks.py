"""The notebooks as pages: copied below docs, where Sphinx finds them, and run for their outputs.

The outputs are kept in build/notebooks until the code of scp changes.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.config import Config

ROOT = Path(__file__).resolve().parents[2]
PAGES = "tutorials/notebooks"  # in docs, and in .gitignore


def copy(app: Sphinx, config: Config) -> None:
    """Only what has changed is written, so that Sphinx reads no page twice. Links to docs/ lead two
    folders up from there."""
    there = Path(app.srcdir, PAGES)
    there.mkdir(exist_ok=True)
    sources = {path.name: path for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
    for old in there.glob("*.ipynb"):
        if old.name not in sources:
            old.unlink()
    for name, path in sources.items():
        text = path.read_text(encoding="utf-8").replace("](../docs/", "](../../")
        page = there / name
        if not page.is_file() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def kept() -> str:
    """The folder of the outputs that this code makes."""
    digest = hashlib.sha256()
    for folder, patterns in (("scp", ("*.py", "*.html", "*.css", "*.js")), ("csrc", ("*.[ch]",))):
        for pattern in patterns:
            for path in sorted((ROOT / folder).rglob(pattern)):
                digest.update(path.read_bytes())
    return str(ROOT / "build" / "notebooks" / digest.hexdigest()[:16])


def quiet() -> None:
    """Kernels show no bars, which are for those who wait, and no warning of their transport."""
    profile = ROOT / "build" / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text('c.IPKernelApp.log_level = "ERROR"\n')
    os.environ |= {"IPYTHONDIR": str(profile.parent), "SCP_PROGRESS": "0"}


def setup(app: Sphinx) -> dict[str, bool]:
    quiet()
    app.connect("config-inited", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
