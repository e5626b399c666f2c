"""HRFormer for mmsegmentation, mmpose, mmpretrain and mmdetection.

Importing the package works around missing parts of the other libraries, see :mod:`hrformer_mm.compat`, and replaces
nothing. It imports neither torch nor mmengine.
"""

import sys
from importlib import import_module
from typing import Any

from . import compat  # noqa: F401  (must be imported before another library imports its models)

if 'torch' in sys.modules:  # otherwise the registry imports safe_globals
    from . import safe_globals  # noqa: F401

__version__ = '0.1.0.dev0'
__all__ = ['ClassificationNeck', 'HRFormer', 'MODELS', 'OCRHead', 'TopdownHeatmapHead', 'config_path', 'to_deploy']

_MODULES = {'MODELS': '.registry', 'config_path': '.model_index', 'to_deploy': '.deploy'}


def __getattr__(name: str) -> Any:
    """Import a public name on first use; the registry imports the classes of models."""
    if name not in __all__:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    if name in _MODULES:
        return getattr(import_module(_MODULES[name], __name__), name)
    return import_module('.registry', __name__).MODELS.get(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
