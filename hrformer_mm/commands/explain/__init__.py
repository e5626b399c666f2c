"""Pictures of what an HRFormer does on an image."""

from .explaining import MAX_SIDE, explain
from .explanation import Explanation

__all__ = ['MAX_SIDE', 'Explanation', 'explain']
