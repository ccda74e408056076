"""Landmarks of a few annotated images, found in all the others (the paper, section 3.2)."""

from .annotated import annotated, as_dataset, templates_among
from .detector import Detections, LandmarkDetector, usual_pseudo_templates, usual_views
from .matches import Matches, grid_scales, match_templates
from .templates import MODES, Templates
from .views import VIEWS, Views, view_list, view_weights
from .votes import RULES, combine

__all__ = [
    "MODES",
    "RULES",
    "VIEWS",
    "Detections",
    "LandmarkDetector",
    "Matches",
    "Templates",
    "Views",
    "annotated",
    "as_dataset",
    "combine",
    "grid_scales",
    "match_templates",
    "templates_among",
    "usual_pseudo_templates",
    "usual_views",
    "view_list",
    "view_weights",
]
