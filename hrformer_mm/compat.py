"""The placeholder for mmcv's compiled extension, which mmcv-lite lacks.

mmseg.models, mmpose.models and mmdet import mmcv.ops, which imports mmcv._ext. No model of this package calls an op of
it. This module imports neither torch nor mmcv.
"""
import importlib.machinery
import importlib.util
import sys
import types
from typing import Callable

MISSING_EXT = 'mmcv._ext'


class _MissingExtension(types.ModuleType):
    """Stands for mmcv's compiled extension: every name in it is a function that raises when it is called."""

    def __getattr__(self, name: str) -> Callable:
        if name.startswith('__'):  # Python asks for __file__, __path__ and others, which are no ops
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
    """Let ``mmcv.ops`` be imported with mmcv-lite; returns whether the placeholder is in use.

    It does nothing with full mmcv, or without mmcv, and calling it again changes nothing.
    """
    if MISSING_EXT in sys.modules:
        return isinstance(sys.modules[MISSING_EXT], _MissingExtension)
    mmcv = importlib.util.find_spec('mmcv')  # finds the package without importing it
    if mmcv is None or mmcv.submodule_search_locations is None:
        return False
    if importlib.machinery.PathFinder.find_spec(MISSING_EXT, list(mmcv.submodule_search_locations)) is not None:
        return False  # full mmcv
    module = _MissingExtension(MISSING_EXT, 'Placeholder for the compiled ops that mmcv-lite lacks.')
    # Without a loader, pkgutil.find_loader returns None, which tells mmengine that mmcv has no compiled ops.
    module.__spec__ = importlib.machinery.ModuleSpec(MISSING_EXT, loader=None)
    sys.modules[MISSING_EXT] = module
    return True


stub_mmcv_ext()
