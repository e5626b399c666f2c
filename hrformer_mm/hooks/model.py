"""Checks of the model before and during a training."""

from functools import partial
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ..models import HRFormer
from ..models.whole import check_model


def check_training(runner: Runner) -> None:
    """Check the model, and that layer-wise learning rate decay takes effect if the config sets it.

    Raises:
        ValueError: If the parts of the model are inconsistent, see :func:`check_model`, or if the optimizer wrapper
            constructor does not support the layers of HRFormer.
    """
    check_model(runner.model.module if is_model_wrapper(runner.model) else runner.model)
    wrapper = runner.cfg.get('optim_wrapper') or {}
    rate = (wrapper.get('paramwise_cfg') or {}).get('layer_decay_rate', 1)
    scales = {group.get('lr_scale', 1) for group in getattr(runner.optim_wrapper, 'param_groups', [])}
    if rate != 1 and scales == {1} and any(isinstance(module, HRFormer) for module in runner.model.modules()):
        raise ValueError(
            f'optim_wrapper.constructor is {wrapper.get("constructor")!r}, which does not know the layers of '
            f'HRFormer, so that layer_decay_rate={rate} has no effect: set '
            "constructor='hrformer_mm.LayerDecayOptimWrapperConstructor'"
        )


class UnusedParameters:
    """Finds parameters without a gradient in the first iteration, before DistributedDataParallel fails in the second.

    Args:
        runner (Runner): Runner of the training.
    """

    def __init__(self, runner: Runner) -> None:
        self._waiting: set[str] = set()
        self._handles: list[Any] = []
        model = runner.model
        if isinstance(model, DistributedDataParallel) and not (model.find_unused_parameters or model.static_graph):
            for name, parameter in model.module.named_parameters():
                if parameter.requires_grad:
                    self._waiting.add(name)
                    self._handles.append(parameter.register_post_accumulate_grad_hook(partial(self._use, name)))

    def _use(self, name: str, parameter: nn.Parameter) -> None:
        self._waiting.discard(name)

    def check(self) -> None:
        """Check the parameters after the first iteration.

        Raises:
            ValueError: If a parameter got no gradient.
        """
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        if self._waiting:
            names = sorted(self._waiting)
            raise ValueError(
                f'{len(names)} parameters are not used for the loss, for example {", ".join(names[:3])}, '
                'so that distributed training would fail in the next iteration: restrict out_indices of the backbone '
                "to the branches in the heads' in_index, or set find_unused_parameters=True in the config"
            )
