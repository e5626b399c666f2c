"""The deployment form: the same arithmetic in fewer and faster steps."""

from .convert import is_deployed, to_deploy

__all__ = ['is_deployed', 'to_deploy']
