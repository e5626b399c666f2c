"""How many classes a model tells apart, as its config says."""

from collections.abc import Mapping
from typing import Any, Optional

_HEADS = ('decode_head', 'head', 'bbox_head')  # of mmseg, mmpretrain and mmdet


def head_classes(model: Mapping[str, Any]) -> Optional[int]:
    """The classes of a model's head, of the last one where there are several; None where no config says."""
    for name in _HEADS:
        head = model.get(name)
        head = head[-1] if isinstance(head, (list, tuple)) and head else head
        if isinstance(head, Mapping) and isinstance(head.get('num_classes'), int):
            return head['num_classes']
    return None
