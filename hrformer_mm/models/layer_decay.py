"""Layer-wise learning rate decay for the models of all OpenMMLab libraries, built on mmpretrain."""

from collections.abc import Callable
from functools import partial
from typing import Any

from mmpretrain.engine.optimizers import LearningRateDecayOptimWrapperConstructor
from torch import nn

from ..registry import OPTIM_WRAPPER_CONSTRUCTORS
from .hrformer import HRFormer


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class LayerDecayOptimWrapperConstructor(LearningRateDecayOptimWrapperConstructor):
    """mmpretrain's `LearningRateDecayOptimWrapperConstructor`, extended to the models of mmseg, mmpose and mmdet.

    The learning rate of a parameter is multiplied by `paramwise_cfg.layer_decay_rate` once per layer between the
    parameter and the head, see :func:`hrformer_mm.models.layer_depth.layer_depth`.

    Raises:
        ValueError: If the model contains no HRFormer.
    """

    def add_params(
        self,
        params: list[dict[str, Any]],
        module: nn.Module,
        prefix: str = '',
        get_layer_depth: Callable[..., tuple[int, int]] | None = None,
        **kwargs: Any,
    ) -> None:
        """Add the parameters of a module to the parameter groups, recursively."""
        if get_layer_depth is None:  # the whole model
            backbones = [(name, part) for name, part in module.named_modules() if isinstance(part, HRFormer)]
            if not backbones:
                raise ValueError(
                    f'{type(module).__name__} contains no hrformer_mm.HRFormer, '
                    'which LayerDecayOptimWrapperConstructor requires'
                )
            name, backbone = backbones[0]
            get_layer_depth = partial(backbone.get_layer_depth, prefix=f'{name}.' if name else '')
        super().add_params(params, module, prefix, get_layer_depth, **kwargs)
