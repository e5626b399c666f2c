"""Repairs of the OpenMMLab stack, applied when the package is imported.

A config asks for them with ``custom_imports = dict(imports=['hrformer_mm'])``. Each repair does nothing where it
is not needed, and applying it again changes nothing.
"""
import codecs
import importlib.machinery
import importlib.util
import pickle
import sys
import types
from typing import Any, Callable, List, Tuple

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer

MISSING_EXT = 'mmcv._ext'


class _MissingExtension(types.ModuleType):
    """Stands for mmcv's compiled extension: every name in it is a function that raises when it is called."""

    def __getattr__(self, name: str) -> Callable:
        if name.startswith('__'):  # __file__, __path__, ... : Python asks for them, they are no ops
            raise AttributeError(f'module {self.__name__!r} has no attribute {name!r}')

        def missing_op(*args, **kwargs):
            raise RuntimeError(
                f'mmcv op {name!r} was called, but it is a compiled op and this environment has mmcv-lite, which has '
                'none. Remedy: use a model without this op, or install full mmcv in place of mmcv-lite '
                '(pip uninstall mmcv-lite, then pip install --no-build-isolation "mmcv==2.1.0").')

        missing_op.__name__ = missing_op.__qualname__ = name
        setattr(self, name, missing_op)
        return missing_op


def stub_mmcv_ext() -> bool:
    """Let ``mmcv.ops`` be imported with mmcv-lite; returns whether the placeholder stands.

    mmseg.models, mmpose.models and mmdet import mmcv.ops, and that imports mmcv._ext, which mmcv-lite lacks.
    """
    if MISSING_EXT in sys.modules:
        return isinstance(sys.modules[MISSING_EXT], _MissingExtension)
    mmcv = importlib.util.find_spec('mmcv')  # finds the package without importing it
    if mmcv is None or mmcv.submodule_search_locations is None:
        return False
    if importlib.machinery.PathFinder.find_spec(MISSING_EXT, list(mmcv.submodule_search_locations)) is not None:
        return False  # full mmcv
    module = _MissingExtension(MISSING_EXT, 'Placeholder for the compiled ops that mmcv-lite lacks.')
    # No loader: pkgutil.find_loader then answers None, which is how mmengine learns that mmcv has no compiled ops.
    module.__spec__ = importlib.machinery.ModuleSpec(MISSING_EXT, loader=None)
    sys.modules[MISSING_EXT] = module
    return True


# What mmengine's checkpoints take from HistoryBuffer by getattr: the statistics that it registers for itself.
HISTORY_STATISTICS = ('min', 'max', 'current', 'mean')


def _getattr_of_history_buffer(obj: Any, name: str) -> Callable:
    """The one use of ``getattr`` that a checkpoint may make; everything else could reach arbitrary code."""
    if obj is not HistoryBuffer or type(name) is not str or name not in HISTORY_STATISTICS:
        raise pickle.UnpicklingError(
            f'checkpoint asks for getattr({obj!r}, {name!r}); allowed is only HistoryBuffer with one of '
            f'{", ".join(HISTORY_STATISTICS)}. mmengine does not write this: do not load a file you do not trust.')
    return getattr(HistoryBuffer, name)


def _checkpoint_globals() -> List[Tuple[Any, str]]:
    """What mmengine's checkpoints hold beyond tensors and plain containers, each with its name in the file."""
    # NumPy 2 renamed it; 1.26 has a `_core`, too, which is bare.
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
    for code in '?bhilqBHILQefd':  # booleans, integers and floats: a dtype's class is what torch compares
        kind = type(np.dtype(code))
        allowed.append((kind, f'{kind.__module__}.{kind.__qualname__}'))
    return allowed


def _named(value: Any, name: str) -> Any:
    """What torch 2.4 and 2.5 find under a name: they ask the object itself for it."""
    if f'{value.__module__}.{value.__qualname__}' == name:
        return value

    def call(*args):
        return value(*args)

    call.__module__, call.__name__ = name.rsplit('.', 1)
    return call


def allow_mmengine_checkpoints() -> bool:
    """Let ``torch.load(…, weights_only=True)`` read mmengine's own checkpoints while it refuses other objects.

    torch >= 2.6 loads so unless told otherwise, and mmengine 0.10.7 does not say; returns whether this is such a torch.
    On torch 2.4 and 2.5 it serves those who ask for it; earlier ones take no such list.
    """
    version = tuple(int(part) for part in torch.__version__.split('.')[:2])
    if version < (2, 4):
        return False
    allowed = _checkpoint_globals()
    if version < (2, 6):
        # Bytes are pickled as text and its encoding, which later versions allow by themselves.
        allowed = [_named(*entry) for entry in [*allowed, (codecs.encode, '_codecs.encode')]]
    torch.serialization.add_safe_globals(allowed)
    return version >= (2, 6)


stub_mmcv_ext()
allow_mmengine_checkpoints()
