"""Hooks that protect a training, speed up a test and filter the log."""

from .deploy import DeployHook
from .quiet import QuietHook
from .safeguard import Safeguard

__all__ = ['DeployHook', 'QuietHook', 'Safeguard']
