"""The label map that SegFix learns from, made where a pipeline has loaded a segmentation's."""

from typing import Any

from mmcv.transforms import BaseTransform

from ..registry import TRANSFORMS
from .offsets import boundary_targets


@TRANSFORMS.register_module()
class BoundaryTargets(BaseTransform):
    """Replaces `gt_seg_map` by :func:`~hrformer_mm.segfix.boundary_targets` of it; goes after crops and flips.

    Args:
        ignore_index (int): The label that is none. Default: 255.
    """

    def __init__(self, ignore_index: int = 255) -> None:
        self.ignore_index = ignore_index

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """(H, W) labels to (H, W) targets."""
        results['gt_seg_map'] = boundary_targets(results['gt_seg_map'], self.ignore_index)
        return results
