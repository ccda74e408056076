"""The site: make docs."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_extensions"))

from notebooks import kept
from scp import __version__

project = "scp"
version = release = __version__
copyright = author = "the scp authors"
language = "en"

# myst_nb: pages in Markdown and notebooks. sphinx_design: cards and tabs. napoleon: docstrings with
# Args and Returns. Ours (docs/_extensions): docstrings, which are plain text; glossary: links from
# the first use of its terms; notebooks: the notebooks as pages; options: tables; repository: links
# to what is no page; verbs: the command line, from its parsers.
extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx_design",
    "docstrings",
    "glossary",
    "notebooks",
    "options",
    "repository",
    "verbs",
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# The site is where every notebook runs, in its fast mode; one that fails is an error.
nb_execution_mode = "cache"
nb_execution_cache_path = kept()
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 600  # seconds a cell; a notebook takes less than 60 on an idle machine
nb_merge_streams = True
nb_output_stderr = "remove"  # what warnings say stands in the results

autosummary_generate = True
autodoc_typehints = "none"  # the signature has them
autodoc_member_order = "bysource"
napoleon_use_ivar = True
add_module_names = False

html_theme = "pydata_sphinx_theme"
html_title = "scp"
html_static_path: list[str] = []
html_copy_source = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
