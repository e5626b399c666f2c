"""The one hook that a config names."""

from collections.abc import Sequence
from typing import Any, Optional

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..registry import HOOKS
from .bad_data import report_left_out, warn_of_classes
from .finite import check_loss, check_weights
from .loading import choose_checkpoint, drop_code, prepare_weights
from .randomness import Randomness
from .saving import protect_saving


@HOOKS.register_module()
class Safeguard(Hook):
    """Nothing of a training fails in silence or is lost; docs/reliability.md says what that means.

    Checkpoints are written whole or not at all, with a checksum, and the old ones deleted after; `--resume` takes the
    newest good one and goes on as if there had been no break; what is loaded runs no code and must fit the model; a loss
    that is NaN or infinite ends the training.

    Args:
        may_differ (Sequence[str]): Beginnings of the names of weights that a checkpoint may lack, have in another
            shape, or have beside the model's when it is loaded; never when it is resumed. `['']` stands for all.
            Default: none.
        replay (bool): Whether a resumed loop over iterations reads again all data that was trained on, as mmengine's
            does; this is what makes the weights, to the bit, those of a training without a break. Otherwise it goes on
            in the same order of the data, at once, with new random numbers in the augmentations. Default: True.

    Raises:
        TypeError: If may_differ is no list of strings, or replay no bool.
    """

    priority = 'NORMAL'  # before CheckpointHook, so that a NaN is met before it is saved

    def __init__(self, may_differ: Sequence[str] = (), replay: bool = True) -> None:
        if isinstance(may_differ, str) or not all(isinstance(name, str) for name in may_differ):
            raise TypeError(f'may_differ is {may_differ!r}, but must be a list of strings, such as '
                            "['decode_head.conv_seg']")
        if not isinstance(replay, bool):
            raise TypeError(f'replay is {replay!r}, but must be True or False')
        self.may_differ = tuple(may_differ)
        self.replay = replay
        self.randomness = Randomness()

    def before_run(self, runner: Runner) -> None:
        """Guard the saving, and choose and check what is loaded before the runner loads it."""
        folder = protect_saving(runner, self.randomness.gather)
        checkpoint = choose_checkpoint(runner, folder)
        if checkpoint is not None and runner._resume:
            self.randomness.prepare_resume(runner, checkpoint)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Adapt the weights to the model, check that they fit, and drop the text that mmengine would run."""
        drop_code(checkpoint)
        prepare_weights(runner, checkpoint, () if runner._resume else self.may_differ)

    def before_train(self, runner: Runner) -> None:
        """Take up the random states where the checkpoint left them, and compare the model with its data."""
        warn_of_classes(runner)
        self.randomness.resume_iterations(runner, self.replay)

    def before_train_epoch(self, runner: Runner) -> None:
        """Make the data's randomness a function of the seed and the epoch."""
        self.randomness.start_epoch(runner)

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Stop at a loss that is not finite."""
        check_loss(runner, data_batch, outputs)

    def after_train(self, runner: Runner) -> None:
        """Say how many bad samples the training went without."""
        report_left_out(runner)

    def before_val(self, runner: Runner) -> None:
        """Keep the validation's use of randomness apart from the training's."""
        self.randomness.leave_training(runner)

    def after_val(self, runner: Runner) -> None:
        """Go on with the training's randomness."""
        self.randomness.enter_training()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Refuse weights that are not finite, and add the random states."""
        check_weights(runner, checkpoint)
        self.randomness.save(checkpoint)
