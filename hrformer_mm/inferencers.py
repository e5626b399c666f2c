"""The zoo's names in the libraries' own interfaces: `MMSegInferencer(NAME, weights)`, `mmpretrain.get_model(NAME)`.

Each library looks a name up in its own metafiles alone. The functions that do so are extended when their modules are
imported: importing them here would take seconds.
"""
import sys
from functools import wraps
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, Optional, Sequence

from mmengine.config import Config

from .zoo import find_model


def extend_mmengine(module: ModuleType) -> None:
    """mmseg's, mmpose's and mmdet's inferencers are subclasses of mmengine's."""
    original = module.BaseInferencer._load_model_from_metafile

    @wraps(original)
    def load_model_from_metafile(self: Any, model: str) -> tuple[Config, Optional[str]]:
        entry = _find(model, self.scope)
        return original(self, model) if entry is None else (Config.fromfile(entry['Config']), None)

    module.BaseInferencer._load_model_from_metafile = load_model_from_metafile


def extend_mmpretrain(module: ModuleType) -> None:
    """mmpretrain's inferencers and `get_model` ask its hub."""
    original = module.ModelHub.get.__func__

    @wraps(original)
    def get(cls: type, model_name: str) -> Any:
        entry = _find(model_name, 'mmpretrain')
        if entry is not None:
            cls._models_dict.setdefault(entry['Name'].lower(), module.Model.from_dict(entry))
        return original(cls, model_name)

    module.ModelHub.get = classmethod(get)


def _find(name: str, library: Optional[str]) -> Optional[dict[str, Any]]:
    """A model's entry with the whole path of its config, if the zoo has it for this library."""
    entry = find_model(name)
    if entry is None or Config.fromfile(entry['Path']).get('default_scope') != library:
        return None
    return {**entry, 'Config': entry['Path']}


class _AfterImport(MetaPathFinder):
    """Hands modules to functions as soon as they are imported."""

    actions = {'mmengine.infer.infer': extend_mmengine, 'mmpretrain.apis.model': extend_mmpretrain}

    def find_spec(self, name: str, path: Optional[Sequence[str]], target: Optional[ModuleType] = None
                  ) -> Optional[ModuleSpec]:
        spec = PathFinder.find_spec(name, path, target) if name in self.actions else None
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: ModuleType) -> None:
                execute(module)
                self.actions[name](module)

            spec.loader.exec_module = exec_module
        return spec


for name, action in _AfterImport.actions.items():
    if name in sys.modules:
        action(sys.modules[name])
sys.meta_path.insert(0, _AfterImport())
