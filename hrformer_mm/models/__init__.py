"""The backbone, the neck and the loss; heads live in modules of their own, imported when one is asked for."""

from .classification_neck import ClassificationNeck
from .cross_entropy_loss import CrossEntropyLoss
from .hrformer import HRFormer

__all__ = ['ClassificationNeck', 'CrossEntropyLoss', 'HRFormer']
