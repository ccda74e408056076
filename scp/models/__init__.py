"""Networks: the builder, the architectures, and the table of presets."""

from .network import Layer, Network

__all__ = ["Layer", "Network"]
