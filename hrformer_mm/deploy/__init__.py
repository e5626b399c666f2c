"""The deployment form: the same arithmetic in fewer and faster steps."""

from .convert import can_deploy, is_deployed, to_deploy

__all__ = ['can_deploy', 'is_deployed', 'to_deploy']
