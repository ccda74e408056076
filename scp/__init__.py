"""scp: which few medical images to annotate, and how good that choice is."""

__version__ = "0.1.0"
