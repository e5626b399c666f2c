"""Layer-wise learning rates in models of any library; built on mmpretrain."""

from collections.abc import Callable
from functools import partial
from typing import Any

from mmpretrain.engine.optimizers import LearningRateDecayOptimWrapperConstructor
from torch import nn

from ..registry import OPTIM_WRAPPER_CONSTRUCTORS
from .hrformer import HRFormer


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(LearningRateDecayOptimWrapperConstructor):
    """mmpretrain's `LearningRateDecayOptimWrapperConstructor`, which also takes the models of mmseg, mmpose and mmdet.

    The learning rate of a parameter is multiplied by `paramwise_cfg.layer_decay_rate` once per layer between it and
    the head, see :func:`hrformer_mm.models.layer_depth.layer_depth`.

    Raises:
        ValueError: If the model contains no HRFormer.
    """

    def add_params(
        self,
        params: list[dict],
        module: nn.Module,
        prefix: str = '',
        get_layer_depth: Callable | None = None,
        **kwargs: Any,
    ) -> None:
        """Add the parameters of a module to the groups; called for the whole model, and by itself for its parts."""
        if get_layer_depth is None:
            name = next((name for name, part in module.named_modules() if isinstance(part, HRFormer)), None)
            if name is None:
                raise ValueError(
                    f'{type(module).__name__} contains no hrformer_mm.HRFormer, whose layers '
                    'LayerDecayOptimWrapperConstructor knows'
                )
            backbone = module.get_submodule(name)
            get_layer_depth = partial(backbone.get_layer_depth, prefix=f'{name}.' if name else '')
        super().add_params(params, module, prefix, get_layer_depth, **kwargs)
