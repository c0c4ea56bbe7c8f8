"""Confidence maps: how far sound reached each pixel of an ultrasound image, from 0 to 1.

`confidence_map` is the random walk of Karamalis et al. 2012, `confidence_volume` the same in three dimensions;
`directed_map`, `attenuation_map` and `transmittance` are other models. `frame_maps`, `sweep_weights` and
`agreeing_maps` serve sweeps.
"""

from usfast.confidence.agreement import agreeing_maps
from usfast.confidence.attenuation import attenuation_map
from usfast.confidence.directed import directed_map
from usfast.confidence.frames import MAP_METHODS, frame_maps, sweep_weights
from usfast.confidence.maps import MODES, PRECISIONS, VARIANTS, clear_cache, confidence_map
from usfast.confidence.sector import SectorSeeds, sector_seeds
from usfast.confidence.seeds import SINK_MODES
from usfast.confidence.transmittance import transmittance
from usfast.confidence.volumes import confidence_volume

__all__ = [
    "MAP_METHODS",
    "MODES",
    "PRECISIONS",
    "SINK_MODES",
    "VARIANTS",
    "SectorSeeds",
    "agreeing_maps",
    "attenuation_map",
    "clear_cache",
    "confidence_map",
    "confidence_volume",
    "directed_map",
    "frame_maps",
    "sector_seeds",
    "sweep_weights",
    "transmittance",
]
