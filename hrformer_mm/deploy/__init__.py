"""The form for inference: the same arithmetic in fewer steps."""

from .convert import to_deploy

__all__ = ['to_deploy']
