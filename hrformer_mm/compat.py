"""Supply what OpenMMLab's libraries import and newer environments lack; replace nothing that is there.

- ``mmcv._ext``: mmseg.models, mmpose.models and mmdet import it through mmcv.ops, and mmcv-lite lacks it. No model of
  this package calls an op of it, so a placeholder is enough. Spawned processes get it, too.
- ``xtcocotools._mask``: mmpose imports it. Its wheels are built for NumPy 1 and Python 3.11 at most; pycocotools has
  the same extension for every Python and NumPy. Spawned processes get it, too.
- ``pkg_resources``: mmengine imports it to find a library's configs, and setuptools 82 removed it. pip has a copy.
- ``pkgutil.find_loader``: mmcv and mmengine call it, and Python 3.14 removed it.

This module imports no library of the stack, and no torch.
"""

import contextlib
import importlib.machinery
import importlib.util
import multiprocessing
import pkgutil
import sys
import types
from collections.abc import Callable
from importlib import metadata
from multiprocessing.reduction import ForkingPickler
from typing import Any

MISSING_EXT = 'mmcv._ext'
MASK_EXT = 'xtcocotools._mask'


class _Placeholder(types.ModuleType):
    """A substitute for a compiled extension; ``make(name)`` creates each of its attributes on first use."""

    def __init__(self, name: str, make: Callable[[str], Any]) -> None:
        super().__init__(name, f'Placeholder of hrformer_mm for {name}.')
        # Without a loader, pkgutil.find_loader returns None, by which mmengine knows that mmcv has no compiled ops.
        self.__spec__ = importlib.machinery.ModuleSpec(name, loader=None)
        self._make = make

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):  # Python asks for __file__, __path__ and others, which the extension lacks
            raise AttributeError(f'module {self.__name__!r} has no attribute {name!r}')
        setattr(self, name, self._make(name))
        return getattr(self, name)


def _missing_op(name: str) -> Callable:
    """A function that raises when it is called."""

    def missing_op(*args, **kwargs):
        raise RuntimeError(
            f'mmcv op {name!r} was called, but it is a compiled op and this environment has mmcv-lite, which has '
            'none. Remedy: use a model without this op, or install full mmcv in place of mmcv-lite '
            '(pip uninstall mmcv-lite, then pip install --no-build-isolation "mmcv==2.1.0").'
        )

    missing_op.__name__ = missing_op.__qualname__ = name
    return missing_op


def stub_mmcv_ext() -> bool:
    """Let ``mmcv.ops`` be imported with mmcv-lite; returns whether the placeholder is in use.

    It does nothing with full mmcv, or without mmcv, and calling it again changes nothing.
    """
    if MISSING_EXT not in sys.modules and _is_installed('mmcv') and not _has_extension(MISSING_EXT):
        sys.modules[MISSING_EXT] = _Placeholder(MISSING_EXT, _missing_op)
    return isinstance(sys.modules.get(MISSING_EXT), _Placeholder)


def stub_xtcocotools_mask() -> bool:
    """Let ``xtcocotools.mask`` use pycocotools' extension; returns whether the placeholder is in use.

    Compiled for NumPy 1, xtcocotools' own does not import with NumPy 2; compiled for NumPy 2, four of its functions
    raise. It does nothing without xtcocotools or pycocotools, and with NumPy 1 where xtcocotools has its own.
    """
    if MASK_EXT not in sys.modules and _is_installed('xtcocotools') and _is_installed('pycocotools'):
        has_numpy_1 = any(numpy.version < '2' for numpy in metadata.distributions(name='numpy'))
        if not (has_numpy_1 and _has_extension(MASK_EXT)):
            sys.modules[MASK_EXT] = _Placeholder(
                MASK_EXT, lambda name: getattr(importlib.import_module('pycocotools._mask'), name)
            )
    return isinstance(sys.modules.get(MASK_EXT), _Placeholder)


def use_pkg_resources_of_pip() -> None:
    """Let ``pkg_resources`` be imported with setuptools 82 and later, or without setuptools.

    The module keeps pip's name for it, by which mmengine reloads it. Without pip, importing it fails as before.
    """
    if importlib.util.find_spec('pkg_resources') is None:
        with contextlib.suppress(ImportError):
            sys.modules['pkg_resources'] = importlib.import_module('pip._vendor.pkg_resources')


def _is_installed(package: str) -> bool:
    spec = importlib.util.find_spec(package)  # finds the package without importing it
    return spec is not None and spec.submodule_search_locations is not None


def _has_extension(name: str) -> bool:
    package = importlib.util.find_spec(name.split('.')[0])
    return importlib.machinery.PathFinder.find_spec(name, list(package.submodule_search_locations)) is not None


def _new(cls: type) -> multiprocessing.process.BaseProcess:
    return cls.__new__(cls)


def _reduce(process: multiprocessing.process.BaseProcess) -> tuple[Callable, tuple[type], dict]:
    """A process as pickle stores it anyway, but made by a function of this module, which pickle imports first."""
    return _new, (type(process),), process.__dict__


def reach_new_processes() -> None:
    """Let processes that do not fork, such as workers of a data loader, import this module before what they run."""
    for cls in {
        multiprocessing.Process,
        *(
            multiprocessing.get_context(method).Process
            for method in multiprocessing.get_all_start_methods()
            if method != 'fork'
        ),
    }:
        ForkingPickler.register(cls, _reduce)


if stub_mmcv_ext() | stub_xtcocotools_mask():
    reach_new_processes()
use_pkg_resources_of_pip()
if not hasattr(pkgutil, 'find_loader'):
    pkgutil.find_loader = lambda name: getattr(importlib.util.find_spec(name), 'loader', None)
