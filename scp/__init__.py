"""scp: which few medical images to annotate, and how good that choice is."""
