"""Pictures of what an HRFormer does on an image."""

from .explanation import Explanation
from .run import MAX_SIDE, explain

__all__ = ['MAX_SIDE', 'Explanation', 'explain']
