"""Placeholders for two compiled extensions that may be missing, and a function that Python 3.14 removed.

mmseg.models, mmpose.models and mmdet import mmcv.ops, which imports mmcv._ext, which mmcv-lite lacks. No model of this
package calls an op of it. mmpose imports xtcocotools.mask, which imports xtcocotools._mask; its wheels are built for
NumPy 1 and Python 3.11 at most. pycocotools has the same extension for every Python and NumPy.
This module imports none of them, and no torch.
"""
import importlib.machinery
import importlib.util
import pkgutil
import sys
import types
from importlib import metadata
from typing import Any, Callable

MISSING_EXT = 'mmcv._ext'
MASK_EXT = 'xtcocotools._mask'


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
    if not _is_installed('mmcv') or _has_extension(MISSING_EXT):
        return False  # no mmcv, or full mmcv
    module = _MissingExtension(MISSING_EXT, 'Placeholder for the compiled ops that mmcv-lite lacks.')
    # Without a loader, pkgutil.find_loader returns None, which tells mmengine that mmcv has no compiled ops.
    module.__spec__ = importlib.machinery.ModuleSpec(MISSING_EXT, loader=None)
    sys.modules[MISSING_EXT] = module
    return True


class _PycocotoolsMask(types.ModuleType):
    """Stands for xtcocotools' compiled extension: every name in it is pycocotools', which is imported on first use."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(f'module {self.__name__!r} has no attribute {name!r}')
        return getattr(importlib.import_module('pycocotools._mask'), name)


def stub_xtcocotools_mask() -> bool:
    """Let ``xtcocotools.mask`` use pycocotools' extension; returns whether the placeholder is in use.

    Compiled for NumPy 1, xtcocotools' own does not import with NumPy 2; compiled for NumPy 2, four of its functions
    raise. It does nothing without xtcocotools or pycocotools, and with NumPy 1 where xtcocotools has its own.
    """
    if MASK_EXT in sys.modules:
        return isinstance(sys.modules[MASK_EXT], _PycocotoolsMask)
    if not (_is_installed('xtcocotools') and _is_installed('pycocotools')):
        return False
    if _has_extension(MASK_EXT) and any(numpy.version < '2' for numpy in metadata.distributions(name='numpy')):
        return False
    module = _PycocotoolsMask(MASK_EXT, "Placeholder for xtcocotools' compiled extension.")
    module.__spec__ = importlib.machinery.ModuleSpec(MASK_EXT, loader=None)
    sys.modules[MASK_EXT] = module
    return True


def _is_installed(package: str) -> bool:
    spec = importlib.util.find_spec(package)  # finds the package without importing it
    return spec is not None and spec.submodule_search_locations is not None


def _has_extension(name: str) -> bool:
    package = importlib.util.find_spec(name.split('.')[0])
    return importlib.machinery.PathFinder.find_spec(name, list(package.submodule_search_locations)) is not None


stub_mmcv_ext()
stub_xtcocotools_mask()
if not hasattr(pkgutil, 'find_loader'):  # until Python 3.13; mmcv and mmengine ask it for mmcv's compiled ops
    pkgutil.find_loader = lambda name: getattr(importlib.util.find_spec(name), 'loader', None)
