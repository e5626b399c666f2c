"""Hooks: :class:`Safeguard`, which guards a training, and :class:`DeployHook`, which speeds up a test."""

from .deploy import DeployHook
from .safeguard import Safeguard

__all__ = ['DeployHook', 'Safeguard']
