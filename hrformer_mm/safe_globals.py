"""What ``torch.load(..., weights_only=True)`` may read beyond tensors: the content of mmengine's own checkpoints.

torch 2.6 and later load so by default, which mmengine 0.10.7 does not expect. Importing this module allows it.
"""

import codecs
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer

# mmengine's checkpoints read these from HistoryBuffer by getattr: the statistics that it registers for itself.
HISTORY_STATISTICS = ('min', 'max', 'current', 'mean')


def _getattr_of_history_buffer(obj: Any, name: str) -> Callable:
    """The one use of ``getattr`` that a checkpoint may make; everything else could reach arbitrary code."""
    if obj is not HistoryBuffer or type(name) is not str or name not in HISTORY_STATISTICS:
        raise pickle.UnpicklingError(
            f'checkpoint asks for getattr({obj!r}, {name!r}); allowed is only HistoryBuffer with one of '
            f'{", ".join(HISTORY_STATISTICS)}. mmengine does not write this: do not load a file you do not trust.'
        )
    return getattr(HistoryBuffer, name)


def _checkpoint_globals() -> list[tuple[Any, str]]:
    """The classes and functions in mmengine's checkpoints, each with its name in the file."""
    # NumPy 2 renamed np.core; 1.26 also has an np._core, which is almost empty.
    multiarray = (np.core if np.__version__.startswith('1.') else np._core).multiarray
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
    """A callable that torch 2.4 and 2.5 find by this name: they ask the object itself for it."""
    if f'{value.__module__}.{value.__qualname__}' == name:
        return value

    def call(*args):
        return value(*args)

    call.__module__, call.__name__ = name.rsplit('.', 1)
    return call


def allow_mmengine_checkpoints() -> None:
    """Let ``torch.load(..., weights_only=True)`` read mmengine's own checkpoints while it refuses other objects.

    torch 2.4 and 2.5 read so on request; earlier versions have no such list, and are left as they are.
    """
    version = tuple(int(part) for part in torch.__version__.split('.')[:2])
    if version < (2, 4):
        return
    allowed = _checkpoint_globals()
    if version < (2, 6):
        # Bytes are pickled as text and its encoding, which later versions allow by themselves.
        allowed = [_named(*entry) for entry in [*allowed, (codecs.encode, '_codecs.encode')]]
    torch.serialization.add_safe_globals(allowed)


allow_mmengine_checkpoints()
