"""Hook that protects a training."""

from collections.abc import Sequence
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..registry import HOOKS
from .datasets import check_loops, report_skipped, warn_of_classes
from .evaluation import check_evaluation
from .finite import check_loss, check_weights
from .loading import choose_checkpoint, drop_code, prepare_start, prepare_weights
from .model import UnusedParameters, check_training
from .randomness import Randomness
from .saving import protect_saving
from .threads import warn_of_threads


@HOOKS.register_module()
class Safeguard(Hook):
    """Protects a training from invalid data, lost checkpoints and silent failures, see docs/reliability.md.

    Data sets are checked before a run, and each sample when it is loaded. Checkpoints are written atomically and with a
    checksum before old ones are deleted. `--resume` continues from the newest valid checkpoint as if there had been no
    interruption. Loading a checkpoint runs no code, and its weights must fit the model. A loss that is NaN or infinite
    ends the training.

    Args:
        may_differ (Sequence[str]): Prefixes of the names of weights that may be missing, unknown or of another shape
            when a checkpoint is loaded, but not when it is resumed. `['']` matches all weights. Default: ().
        replay (bool): Let a resumed loop over iterations read the data of all previous iterations again, as mmengine
            does. The resulting weights are then bitwise equal to those of an uninterrupted training. If False, the loop
            continues immediately in the same order of the data, but with new random numbers in augmentations.
            Default: True.

    Raises:
        TypeError: If may_differ is not a list of strings, or replay is not a bool.
    """

    priority = 'NORMAL'  # before CheckpointHook, so that a NaN is found before it is saved

    def __init__(self, may_differ: Sequence[str] = (), replay: bool = True) -> None:
        if isinstance(may_differ, str) or not all(isinstance(name, str) for name in may_differ):
            raise TypeError(
                f"may_differ is {may_differ!r}, but must be a list of strings, for example ['decode_head.conv_seg']"
            )
        if not isinstance(replay, bool):
            raise TypeError(f'replay is {replay!r}, but must be True or False')
        self.may_differ = tuple(may_differ)
        self.replay = replay
        self.randomness = Randomness()

    def before_run(self, runner: Runner) -> None:
        """Protect the saving of checkpoints, choose and check the checkpoint to load, and check the data."""
        folder = protect_saving(runner, self.randomness.gather)
        checkpoint = choose_checkpoint(runner, folder)
        if checkpoint is not None and runner._resume:
            self.randomness.prepare_resume(runner, checkpoint)
        prepare_start(runner, self.may_differ)
        check_loops(runner)
        check_evaluation(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Adapt the weights to the model, check that they fit, and remove the text that mmengine would execute."""
        drop_code(checkpoint)
        prepare_weights(runner, checkpoint, () if runner._resume else self.may_differ)

    def before_train(self, runner: Runner) -> None:
        """Check the model, its data and the threads, and restore the random states of the checkpoint."""
        check_training(runner)
        self.unused = UnusedParameters(runner)
        warn_of_classes(runner)
        warn_of_threads(runner)
        self.randomness.resume_iterations(runner, self.replay)

    def before_train_epoch(self, runner: Runner) -> None:
        """Make the randomness of the data depend only on the seed and the epoch."""
        self.randomness.start_epoch(runner)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Check that the losses are finite and, in a distributed training, that all parameters are used."""
        check_loss(runner, data_batch, outputs)
        self.unused.check()

    def after_train(self, runner: Runner) -> None:
        """Log how many invalid samples were skipped."""
        report_skipped(runner)

    def before_val(self, runner: Runner) -> None:
        """Store the random states of the training."""
        self.randomness.leave_training(runner)

    def after_val(self, runner: Runner) -> None:
        """Restore the random states of the training."""
        self.randomness.enter_training()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check that the weights are finite, and add the random states."""
        check_weights(runner, checkpoint)
        self.randomness.save(checkpoint)
