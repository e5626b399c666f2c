"""The backbone, the neck and the loss. The registry imports the heads on first use, since they need other libraries."""

from .classification_neck import ClassificationNeck
from .cross_entropy_loss import CrossEntropyLoss
from .hrformer import HRFormer

__all__ = ['ClassificationNeck', 'CrossEntropyLoss', 'HRFormer']
