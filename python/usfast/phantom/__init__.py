"""Procedural bodies whose labels, volumes, surfaces and distances are known exactly, and sweeps over them."""

from usfast.phantom.calf import CalfPhantom
from usfast.phantom.calf_shape import CalfShape
from usfast.phantom.homogeneous import HomogeneousPhantom
from usfast.phantom.prostate import ProstatePhantom
from usfast.phantom.structure import Part, Structure
from usfast.phantom.thyroid import ThyroidPhantom
from usfast.phantom.tissue import TISSUE, Phantom, Tissue
from usfast.phantom.volumes import label_volume, surface, tissue_volume

__all__ = [
    "TISSUE",
    "CalfPhantom",
    "CalfShape",
    "HomogeneousPhantom",
    "Part",
    "Phantom",
    "ProstatePhantom",
    "Structure",
    "ThyroidPhantom",
    "Tissue",
    "label_volume",
    "surface",
    "tissue_volume",
]
