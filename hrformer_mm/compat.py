"""Supply what OpenMMLab's libraries import and newer environments lack; replace nothing that exists.

- ``mmcv._ext``: mmseg.models, mmpose.models and mmdet import it through mmcv.ops, and mmcv-lite lacks it. No model of
  this package calls its operators, so a placeholder is enough. Spawned processes get it, too.
- ``xtcocotools._mask``: mmpose imports it. Its wheels are built for NumPy 1 and Python up to 3.11; pycocotools has the
  same extension for all versions. Spawned processes get it, too.
- ``pkg_resources``: mmengine imports it to find a library's configs, and setuptools 82 removed it. pip has a copy.
- ``pkgutil.find_loader``: mmcv and mmengine call it to find compiled ops, and Python 3.14 removed it.

This module imports none of these libraries, nor torch.
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
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import ForkingPickler
from typing import Any, NoReturn

MISSING_EXT = 'mmcv._ext'
MASK_EXT = 'xtcocotools._mask'


class _Placeholder(types.ModuleType):
    """Placeholder for a compiled extension, whose attributes `make(name)` creates on first use."""

    def __init__(self, name: str, make: Callable[[str], Any]) -> None:
        super().__init__(name, f'Placeholder of hrformer_mm for {name}.')
        # Without a loader, pkgutil.find_loader returns None, from which mmengine infers that there are no compiled ops.
        self.__spec__ = importlib.machinery.ModuleSpec(name, loader=None)
        self._make = make

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):  # Python looks up __file__, __path__ and others, which the extension lacks
            raise AttributeError(f'module {self.__name__!r} has no attribute {name!r}')
        setattr(self, name, self._make(name))
        return getattr(self, name)


def _missing_op(name: str) -> Callable:
    """Return a function that raises an error when it is called."""

    def missing_op(*args: Any, **kwargs: Any) -> NoReturn:
        raise RuntimeError(
            f'mmcv op {name!r} was called, but is not available, because mmcv-lite has no compiled ops. Use a model '
            'without this op, or install full mmcv instead of mmcv-lite '
            '(pip uninstall mmcv-lite, then pip install --no-build-isolation "mmcv==2.1.0").'
        )

    missing_op.__name__ = missing_op.__qualname__ = name
    return missing_op


def stub_mmcv_ext() -> bool:
    """Make ``mmcv.ops`` importable with mmcv-lite, and return whether the placeholder is in use.

    It does nothing with the full mmcv, without mmcv, or when it is called again.
    """
    if MISSING_EXT not in sys.modules and _is_installed('mmcv') and not _has_extension(MISSING_EXT):
        sys.modules[MISSING_EXT] = _Placeholder(MISSING_EXT, _missing_op)
    return isinstance(sys.modules.get(MISSING_EXT), _Placeholder)


def stub_xtcocotools_mask() -> bool:
    """Let ``xtcocotools.mask`` use the extension of pycocotools, and return whether the placeholder is in use.

    The extension of xtcocotools cannot be imported with NumPy 2 if it was compiled for NumPy 1, and four of its
    functions raise errors if it was compiled for NumPy 2. This function does nothing without xtcocotools or
    pycocotools, or if xtcocotools has its own extension with NumPy 1.
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
    spec = importlib.util.find_spec(package)  # does not import the package
    return spec is not None and spec.submodule_search_locations is not None


def _has_extension(name: str) -> bool:
    package = importlib.util.find_spec(name.split('.')[0])
    folders = None if package is None else package.submodule_search_locations
    return folders is not None and importlib.machinery.PathFinder.find_spec(name, list(folders)) is not None


def _new(cls: type[BaseProcess]) -> BaseProcess:
    return cls.__new__(cls)


def _reduce(process: BaseProcess) -> tuple[Callable[..., BaseProcess], tuple[type[BaseProcess]], dict[str, Any]]:
    """Pickle a process as usual, but construct it with a function of this module, which unpickling imports first."""
    return _new, (type(process),), process.__dict__


def reach_new_processes() -> None:
    """Let spawned processes, for example workers of a data loader, import this module before their target."""
    methods = [method for method in multiprocessing.get_all_start_methods() if method != 'fork']
    for context in (multiprocessing, *map(multiprocessing.get_context, methods)):
        ForkingPickler.register(context.Process, _reduce)  # type: ignore[attr-defined]


if stub_mmcv_ext() | stub_xtcocotools_mask():
    reach_new_processes()
use_pkg_resources_of_pip()
if not hasattr(pkgutil, 'find_loader'):
    pkgutil.find_loader = lambda name: getattr(importlib.util.find_spec(name), 'loader', None)  # type: ignore[assignment]
