"""The random states, saved and taken up so that a resumed training is the one that was not interrupted."""

import random
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Optional

import numpy as np
import torch
from mmengine.dataset import worker_init_fn
from mmengine.dist import get_rank
from mmengine.runner import IterBasedTrainLoop, Runner

KEY = 'random_state'
_EPOCH_STEP = 1_000_003  # a prime: the seeds of epochs, processes and workers do not meet


def random_state() -> dict:
    """The states of Python, NumPy and PyTorch, as plain data that torch.load reads with weights_only."""
    kind, keys, position, has_gauss, gauss = np.random.get_state()
    return dict(
        python=random.getstate(),
        numpy=(kind, torch.from_numpy(keys.astype(np.int64)), int(position), int(has_gauss), float(gauss)),
        torch=torch.get_rng_state(),
        cuda=torch.cuda.get_rng_state() if torch.cuda.is_available() else None)


def set_random_state(state: Mapping[str, Any]) -> None:
    """Set what :func:`random_state` gave."""
    version, internal, gauss = state['python']
    random.setstate((version, tuple(internal), gauss))
    kind, keys, *rest = state['numpy']
    np.random.set_state((kind, keys.cpu().numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state['torch'].cpu())
    if state['cuda'] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


class _Replay:
    """Batches that were trained on are read again by the loop; before the first new one the states are set."""

    def __init__(self, batches: Iterator, trained: int, state: Mapping[str, Any]) -> None:
        self._batches, self._left, self._state = batches, trained, state

    def __iter__(self) -> '_Replay':
        return self

    def __next__(self) -> Any:
        if self._left == 0:
            set_random_state(self._state)
        self._left -= 1
        return next(self._batches)


class Randomness:
    """Follows a training's random states. With several processes, dropout is fresh, not restored, in all but the first."""

    def __init__(self) -> None:
        self._resumed: Optional[Mapping[str, Any]] = None
        self._outside: Optional[dict] = None

    def prepare_resume(self, runner: Runner, checkpoint: Mapping[str, Any]) -> None:
        """Build the data loader with the seed of the training that goes on: mmengine built it before it reads that."""
        self._resumed = checkpoint.get(KEY) if get_rank() == 0 else None
        seed = checkpoint['meta'].get('seed')
        if seed is not None and seed != runner.seed and runner.cfg.get('train_cfg'):
            runner._randomness_cfg.update(seed=seed)
            runner.set_randomness(**runner._randomness_cfg)
            runner._train_loop = runner.build_train_loop(runner.cfg.train_cfg)

    def resume_iterations(self, runner: Runner) -> None:
        """For loops over iterations: the states are due when the loop has read what was trained on."""
        loop = runner.train_loop
        if self._resumed is not None and isinstance(loop, IterBasedTrainLoop):
            loop.dataloader_iterator = _Replay(loop.dataloader_iterator, runner.iter, self._resumed)
            self._resumed = None

    def start_epoch(self, runner: Runner) -> None:
        """For loops over epochs: set the states, and seed the workers by the epoch."""
        loader = runner.train_loop.dataloader
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            return
        if loader.num_workers > 0:
            # Workers that live on would be elsewhere in their random numbers than those of a resumed training.
            loader._iterator = None
            loader.worker_init_fn = partial(
                worker_init_fn,
                num_workers=loader.num_workers,
                rank=get_rank(),
                seed=(runner.seed + _EPOCH_STEP * runner.epoch) % 2**31)
        if self._resumed is not None:
            set_random_state(self._resumed)
            self._resumed = None

    def leave_training(self, runner: Runner) -> None:
        """Note the states where a validation begins."""
        self._outside = random_state()

    def enter_training(self) -> None:
        """Set them where it ends: whether a training was resumed before or after it makes no difference."""
        if self._outside is not None:
            set_random_state(self._outside)
            self._outside = None

    def save(self, checkpoint: dict) -> None:
        """Add the training's states to a checkpoint."""
        checkpoint[KEY] = self._outside or random_state()
