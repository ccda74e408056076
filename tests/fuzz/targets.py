"""All readers that are fuzzed, by name."""

from __future__ import annotations

import feature_targets
import image_targets
import measure_targets
import run_targets
import text_targets
import tool_targets
import torch_targets

MODULES = (
    torch_targets,
    run_targets,
    text_targets,
    tool_targets,
    image_targets,
    measure_targets,
    feature_targets,
)
TARGETS = {target.name: target for module in MODULES for target in module.TARGETS}
