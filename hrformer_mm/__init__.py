"""HRFormer for mmsegmentation, mmpose, mmpretrain and mmdetection."""
import importlib
import warnings
from typing import Any, List

try:
    from . import checks, compat, inferencers  # noqa: F401  (due before a host library is touched)
except (ImportError, OSError, RuntimeError, ValueError) as error:  # as broken libraries fail; the doctor must still run
    warnings.warn(f'hrformer_mm cannot be used: {error}. What to do: hrformer-mm doctor')

__version__ = '0.1.0'
__all__ = ['HRFormer', 'MODELS', 'to_deploy']

# Public name: the module that holds it. Imported when asked for, so that `import hrformer_mm` takes no mmcv.
_LAZY = {
    'HRFormer': 'hrformer_mm.models.hrformer',
    'MODELS': 'hrformer_mm.registry',
    'to_deploy': 'hrformer_mm.deploy',
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    return getattr(importlib.import_module(_LAZY[name]), name)


def __dir__() -> List[str]:
    return sorted([*globals(), *_LAZY])
