"""Annotations and segmentations in files: .seg.nrrd, DICOM SEG, label volumes, PNG masks, contours."""

from usfast.labels.files.annotation_json import read_contours, write_contours
from usfast.labels.files.contours import Contour, ContourSet, contours_to_mask
from usfast.labels.files.dicom_seg import read_dicom_seg, write_dicom_seg
from usfast.labels.files.frame_masks import read_frame_masks, write_frame_masks
from usfast.labels.files.label_files import read_labels, write_labels
from usfast.labels.files.segmentation_nrrd import read_seg_nrrd, write_seg_nrrd
from usfast.labels.files.segments import Segment, Segmentation
from usfast.labels.files.stradwin import read_stradwin_contours

__all__ = [
    "Contour",
    "ContourSet",
    "Segment",
    "Segmentation",
    "contours_to_mask",
    "read_contours",
    "read_dicom_seg",
    "read_frame_masks",
    "read_labels",
    "read_seg_nrrd",
    "read_stradwin_contours",
    "write_contours",
    "write_dicom_seg",
    "write_frame_masks",
    "write_labels",
    "write_seg_nrrd",
]
