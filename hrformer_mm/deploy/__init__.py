"""The deployment form: the same arithmetic in fewer and faster steps."""

from .convert import to_deploy

__all__ = ['to_deploy']
