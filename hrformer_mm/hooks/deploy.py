"""Hook that tests the deployment form of a model."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch import nn

from ..deploy import can_deploy, to_deploy
from ..registry import HOOKS


@HOOKS.register_module()
class DeployHook(Hook):
    """Replaces the model by its deployment form for a test, and restores it afterwards.

    It does nothing for a model without HRFormer. Validation during training uses the original model.

    Args:
        enabled (bool): Replace the model. `--cfg-options default_hooks.deploy.enabled=False` disables it.
            Default: True.

    Raises:
        TypeError: If `enabled` is not a bool.
    """

    priority = 'LOWEST'  # after EMAHook, which swaps the weights before the epoch

    def __init__(self, enabled: bool = True) -> None:
        if not isinstance(enabled, bool):
            raise TypeError(f'enabled is {enabled!r}, but must be True or False')
        self.enabled = enabled
        self._model: nn.Module | None = None

    def before_test_epoch(self, runner: Runner) -> None:
        """Replace the model, or the wrapped model in a distributed test."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        if self.enabled and can_deploy(model):
            self._model = model
            _set_model(runner, to_deploy(model))
            runner.logger.info('The test runs the deployment form of the model.')

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Restore the model."""
        if self._model is not None:
            _set_model(runner, self._model)
            self._model = None


def _set_model(runner: Runner, model: nn.Module) -> None:
    if is_model_wrapper(runner.model):
        runner.model.module = model
    else:
        runner.model = model
