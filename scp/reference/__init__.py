"""Readable NumPy twins of the C operations: their specification and oracle."""
