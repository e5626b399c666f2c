"""One hook, :class:`Safeguard`, and its parts."""

from .safeguard import Safeguard

__all__ = ['Safeguard']
