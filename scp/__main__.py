"""Runs the command line: python -m scp."""

import sys

from .cli import main

sys.exit(main())
