"""What guards a training: one hook, :class:`Safeguard`, made of parts of one concern each."""

from .safeguard import Safeguard

__all__ = ['Safeguard']
