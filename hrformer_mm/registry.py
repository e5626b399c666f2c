"""Registries of the scope `hrformer_mm`, by which `type='hrformer_mm.HRFormer'` resolves in every OpenMMLab library.

mmengine imports `<scope>.registry` when it encounters an unknown scope, so that configs need no `custom_imports`.
Classes that are built on mmseg, mmpose or mmpretrain are imported on first use, because these libraries take seconds to
import.
"""

from importlib import import_module

from mmengine import registry as mmengine_registry
from mmengine.registry import Registry

from .weights import schemes  # noqa: F401  (must be imported before a checkpoint is loaded)

_ON_DEMAND = {
    'EncoderDecoder': ('hrformer_mm.models.encoder_decoder', 'mmseg', 'mmsegmentation'),
    'OCRHead': ('hrformer_mm.models.ocr_head', 'mmseg', 'mmsegmentation'),
    'SegFixHead': ('hrformer_mm.segfix.head', 'mmseg', 'mmsegmentation'),
    'TopdownHeatmapHead': ('hrformer_mm.models.heatmap_head', 'mmpose', 'mmpose'),
    'DepthwiseSwinTransformer': ('hrformer_mm.models.swin', 'mmpretrain', 'mmpretrain'),
    'LayerDecayOptimWrapperConstructor': ('hrformer_mm.models.layer_decay', 'mmpretrain', 'mmpretrain'),
}


class _LazyRegistry(Registry):
    def get(self, key: str) -> type | None:
        """Return a class by its name, importing its module first if it is built on another library.

        Raises:
            ImportError: If the other library is not installed.
        """
        name = self.split_scope_key(key)[1]
        if name in _ON_DEMAND and name not in self._module_dict:
            module, host, distribution = _ON_DEMAND[name]
            try:
                import_module(module)
            except ModuleNotFoundError as error:
                if (error.name or '').split('.')[0] != host:
                    raise
                raise ImportError(
                    f'{name} requires {host}, which is not installed: pip install {distribution}'
                ) from error
        return super().get(key)


MODELS = _LazyRegistry('model', parent=mmengine_registry.MODELS, scope='hrformer_mm', locations=['hrformer_mm.models'])
OPTIM_WRAPPER_CONSTRUCTORS = _LazyRegistry(
    'optimizer wrapper constructor',
    parent=mmengine_registry.OPTIM_WRAPPER_CONSTRUCTORS,
    scope='hrformer_mm',
    locations=['hrformer_mm.models'],
)
TRANSFORMS = Registry(
    'transform', parent=mmengine_registry.TRANSFORMS, scope='hrformer_mm', locations=['hrformer_mm.segfix.transform']
)
METRICS = Registry(
    'metric', parent=mmengine_registry.METRICS, scope='hrformer_mm', locations=['hrformer_mm.segfix.evaluation']
)
EVALUATOR = Registry(
    'evaluator', parent=mmengine_registry.EVALUATOR, scope='hrformer_mm', locations=['hrformer_mm.segfix.evaluation']
)
HOOKS = Registry('hook', parent=mmengine_registry.HOOKS, scope='hrformer_mm', locations=['hrformer_mm.hooks'])
