"""The deployment form of a model: the same arithmetic in fewer and faster operators."""

from .convert import can_deploy, is_deployed, to_deploy

__all__ = ['can_deploy', 'is_deployed', 'to_deploy']
