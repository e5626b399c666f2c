"""HRFormer for mmsegmentation, mmpose, mmpretrain and mmdetection.

Importing it adds what the stack lacks and replaces nothing. It imports neither torch nor mmengine.
"""

import sys
from importlib import import_module
from typing import Any

from . import compat  # noqa: F401  (before a host library imports its models)

if 'torch' in sys.modules:  # otherwise the registry adds them, with torch
    from . import safe_globals  # noqa: F401

__version__ = '0.1.0.dev0'
__all__ = ['ClassificationNeck', 'HRFormer', 'MODELS', 'OCRHead', 'TopdownHeatmapHead', 'config_path', 'to_deploy']

_MODULES = {'MODELS': '.registry', 'config_path': '.model_index', 'to_deploy': '.deploy'}


def __getattr__(name: str) -> Any:
    """Import a public name when it is used. The registry knows where the classes of models are."""
    if name not in __all__:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    if name in _MODULES:
        return getattr(import_module(_MODULES[name], __name__), name)
    return import_module('.registry', __name__).MODELS.get(name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
