"""The backbone and the neck; heads live in modules of their own, imported when one is asked for."""

from .classification_neck import ClassificationNeck
from .hrformer import HRFormer

__all__ = ['ClassificationNeck', 'HRFormer']
