"""From one acquisition to another: rigid registration of volumes, and labels carried across."""

from usfast.labels.registration.quality import RegistrationQuality, checkerboard, registration_quality
from usfast.labels.registration.rigid import Registration, register
from usfast.labels.registration.similarity import Similarity
from usfast.labels.registration.transfer import complete_both, complete_labels, transfer_labels

__all__ = [
    "Registration",
    "RegistrationQuality",
    "Similarity",
    "checkerboard",
    "complete_both",
    "complete_labels",
    "register",
    "registration_quality",
    "transfer_labels",
]
