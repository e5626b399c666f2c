"""Hooks: :class:`Safeguard` protects a training, :class:`DeployHook` speeds up tests, :class:`QuietHook` cleans logs."""

from .deploy import DeployHook
from .quiet import QuietHook
from .safeguard import Safeguard

__all__ = ['DeployHook', 'QuietHook', 'Safeguard']
