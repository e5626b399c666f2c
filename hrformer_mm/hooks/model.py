"""The model of a training, and whether its training can be what its config says."""

from functools import partial
from typing import Any

from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ..models import HRFormer
from ..models.whole import check_model


def check_training(runner: Runner) -> None:
    """Check the model, and that learning rates decay where the config wants it.

    Raises:
        ValueError: If the parts of the model disagree, see :func:`check_model`, or if the constructor of the optimizer
            does not know HRFormer's layers.
    """
    check_model(runner.model.module if is_model_wrapper(runner.model) else runner.model)
    wrapper = runner.cfg.get('optim_wrapper') or {}
    rate = (wrapper.get('paramwise_cfg') or {}).get('layer_decay_rate', 1)
    scales = {group.get('lr_scale', 1) for group in getattr(runner.optim_wrapper, 'param_groups', [])}
    if rate != 1 and scales == {1} and any(isinstance(module, HRFormer) for module in runner.model.modules()):
        raise ValueError(
            f'optim_wrapper.constructor is {wrapper.get("constructor")!r}, which does not know the layers '
            f'of HRFormer: layer_decay_rate={rate} changes no learning rate. Set '
            "constructor='hrformer_mm.LayerDecayOptimWrapperConstructor'"
        )


class UnusedParameters:
    """Finds the parameters that get no gradient in the first iteration, before DistributedDataParallel fails at the
    next one."""

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
        """Check them after the first iteration.

        Raises:
            ValueError: If there are any, with the remedy.
        """
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        if self._waiting:
            names = sorted(self._waiting)
            raise ValueError(
                f'{len(names)} parameters are not used for the loss, for example {", ".join(names[:3])}, '
                'and distributed training would fail in the next iteration. Let out_indices of the '
                "backbone name only the branches that the heads' in_index use, or set "
                'find_unused_parameters=True in the config'
            )
