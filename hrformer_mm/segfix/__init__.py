"""SegFix (Yuan et al., ECCV 2020, arXiv 2007.04269), which replaces labels near a boundary by labels further inside.

A small network predicts which pixels lie near a boundary, and for each of them one of eight directions that lead away
from the boundary. Each label near a boundary of any segmentation model is then replaced by the label one step further
in this direction. The HRFormer paper reports 83.2 mIoU of HRFormer-B with SegFix on the Cityscapes test set (table 5).
"""

from .offsets import DIRECTIONS, boundary_targets, predicted_offsets, refine_labels

__all__ = ['DIRECTIONS', 'boundary_targets', 'predicted_offsets', 'refine_labels']
