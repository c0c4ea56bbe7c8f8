"""Meshes, volumes and cross-sections of labels."""

from usfast.labels.surfaces.cross_sections import CrossSections, cross_sectional_area
from usfast.labels.surfaces.mesh import Mesh
from usfast.labels.surfaces.surface_mesh import surface_mesh, volumes_ml

__all__ = [
    "CrossSections",
    "Mesh",
    "cross_sectional_area",
    "surface_mesh",
    "volumes_ml",
]
