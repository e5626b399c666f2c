"""Permission for ``torch.load(..., weights_only=True)`` to read the content of mmengine's own checkpoints.

torch 2.6 and later set `weights_only=True` by default, which mmengine 0.10.7 does not expect. Importing this module
grants the permission.
"""

import codecs
import pickle
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer

# Methods of HistoryBuffer that mmengine's checkpoints look up with getattr: the statistics that it registers.
HISTORY_STATISTICS = ('min', 'max', 'current', 'mean')


def _getattr_of_history_buffer(obj: Any, name: str) -> Callable:
    """Perform the only lookup that a checkpoint may make with ``getattr``. Others could reach arbitrary code."""
    if obj is not HistoryBuffer or type(name) is not str or name not in HISTORY_STATISTICS:
        raise pickle.UnpicklingError(
            f'the checkpoint requests getattr({obj!r}, {name!r}), but only HistoryBuffer with one of '
            f'{", ".join(HISTORY_STATISTICS)} is allowed. mmengine does not write this: do not load a file that you '
            'do not trust.'
        )
    return getattr(HistoryBuffer, name)


def _checkpoint_globals() -> list[tuple[Any, str]]:
    """Return the classes and functions in mmengine's checkpoints, each with its name in the file."""
    # NumPy 2 renamed np.core; 1.26 also has an np._core, which is almost empty.
    multiarray = import_module('numpy.core' if np.__version__.startswith('1.') else 'numpy._core').multiarray
    allowed = [
        (HistoryBuffer, 'mmengine.logging.history_buffer.HistoryBuffer'),
        (_getattr_of_history_buffer, 'builtins.getattr'),
        (np.ndarray, 'numpy.ndarray'),
        (np.dtype, 'numpy.dtype'),
        (bytes, 'builtins.bytes'),  # an empty array's content; torch allows bytearray itself
    ]
    for package in ('numpy.core', 'numpy._core'):  # files written with NumPy 1 and with NumPy 2
        allowed.append((multiarray._reconstruct, f'{package}.multiarray._reconstruct'))
        allowed.append((multiarray.scalar, f'{package}.multiarray.scalar'))
    for code in '?bhilqBHILQefd':  # booleans, integers and floats: torch compares the dtype's class
        kind = type(np.dtype(code))
        allowed.append((kind, f'{kind.__module__}.{kind.__qualname__}'))
    return allowed


def _named(value: Any, name: str) -> Any:
    """Return a callable whose own attributes contain this name, which torch 2.4 and 2.5 use to identify it."""
    if f'{value.__module__}.{value.__qualname__}' == name:
        return value

    def call(*args: Any) -> Any:
        return value(*args)

    call.__module__, call.__name__ = name.rsplit('.', 1)
    return call


def allow_mmengine_checkpoints() -> None:
    """Let ``torch.load(..., weights_only=True)`` read mmengine's own checkpoints, but no other objects.

    Before version 2.4, torch has no list of allowed objects, and this function does nothing.
    """
    version = tuple(int(part) for part in torch.__version__.split('.')[:2])
    if version < (2, 4):
        return
    allowed: list[Any] = _checkpoint_globals()
    if version < (2, 6):
        # Bytes are pickled as text with its encoding; later versions allow this by default.
        allowed = [_named(*entry) for entry in [*allowed, (codecs.encode, '_codecs.encode')]]
    torch.serialization.add_safe_globals(allowed)


allow_mmengine_checkpoints()
