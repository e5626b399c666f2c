"""Hooks: :class:`Safeguard` guards a training, :class:`DeployHook` speeds up a test, and :class:`QuietHook` filters
the log."""

from .deploy import DeployHook
from .quiet import QuietHook
from .safeguard import Safeguard

__all__ = ['DeployHook', 'QuietHook', 'Safeguard']
