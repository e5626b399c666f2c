"""Pipeline transform that computes the targets of SegFix."""

from typing import Any

from mmcv.transforms import BaseTransform

from ..registry import TRANSFORMS
from .offsets import boundary_targets


@TRANSFORMS.register_module()
class BoundaryTargets(BaseTransform):
    """Replaces `gt_seg_map` by its :func:`~hrformer_mm.segfix.boundary_targets`. It must follow crops and flips.

    Args:
        ignore_index (int): Label of ignored pixels. Default: 255.
    """

    def __init__(self, ignore_index: int = 255) -> None:
        self.ignore_index = ignore_index

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace the labels (H, W) by targets (H, W)."""
        results['gt_seg_map'] = boundary_targets(results['gt_seg_map'], self.ignore_index)
        return results
