"""The random states, saved and taken up so that a resumed training is the one that was not interrupted."""

import random
from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any, List, Optional

import numpy as np
import torch
from mmengine.dataset import InfiniteSampler, worker_init_fn
from mmengine.dist import all_gather_object, get_rank, get_world_size
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


class _Resumed:
    """The loop asks for all batches that were trained on; after those the states are set.

    Args:
        batches (Iterator): All of them; the new ones alone, where the others are to be skipped.
        trained (int): How many were.
        state (Mapping): What is set.
        skip (bool): Whether to give None for them.
    """

    def __init__(self, batches: Iterator, trained: int, state: Mapping[str, Any], skip: bool) -> None:
        self._batches, self._left, self._state, self._skip = batches, trained, state, skip

    def __iter__(self) -> '_Resumed':
        return self

    def __next__(self) -> Any:
        if self._left == 0:
            set_random_state(self._state)
        self._left -= 1
        return None if self._skip and self._left >= 0 else next(self._batches)


class Randomness:
    """Follows the random states of a training's processes; a checkpoint holds those of all of them."""

    def __init__(self) -> None:
        self._resumed: Optional[Mapping[str, Any]] = None
        self._outside: Optional[dict] = None
        self._gathered: Optional[List[dict]] = None

    def prepare_resume(self, runner: Runner, checkpoint: Mapping[str, Any]) -> None:
        """Build the data loader with the seed of the training that goes on: mmengine built it before it reads that."""
        states = checkpoint.get(KEY)
        if states is not None and len(states) == get_world_size():
            self._resumed = states[get_rank()]
        else:
            runner.logger.warning(
                f'The checkpoint holds the random states of {len(states or ())} processes, and this training has '
                f'{get_world_size()}: it goes on with random numbers and an order of the data of its own')
        seed = checkpoint['meta'].get('seed')
        # All processes must decide alike, since to build a loader is a matter of all of them.
        offset = get_rank() if runner._randomness_cfg.get('diff_rank_seed') else 0
        if seed is not None and seed != runner.seed - offset and runner.cfg.get('train_cfg'):
            runner._randomness_cfg.update(seed=seed)
            runner.set_randomness(**runner._randomness_cfg)
            runner._train_loop = runner.build_train_loop(runner.cfg.train_cfg)

    def resume_iterations(self, runner: Runner, replay: bool) -> None:
        """For loops over iterations: the states are due when the loop has read, or skipped, what was trained on."""
        loop = runner.train_loop
        if self._resumed is None or not isinstance(loop, IterBasedTrainLoop):
            return
        skip = not replay and isinstance(loop.dataloader.sampler, InfiniteSampler)
        if skip:
            # From their beginning, since workers may have begun to read.
            sampler = loop.dataloader.sampler
            sampler.indices = InfiniteSampler(sampler.dataset, sampler.shuffle, sampler.seed).indices
            deque(islice(sampler.indices, runner.iter * loop.dataloader.batch_size), maxlen=0)
            loop.dataloader_iterator = iter(loop.dataloader)
        loop.dataloader_iterator = _Resumed(loop.dataloader_iterator, runner.iter, self._resumed, skip)
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
        self._gathered = None  # for a best checkpoint, and there was none
        if self._outside is not None:
            set_random_state(self._outside)
            self._outside = None

    def gather(self) -> None:
        """Collect the training's states from all processes, each of which calls this, for the first one to save."""
        self._gathered = all_gather_object(self._outside or random_state())

    def save(self, checkpoint: dict) -> None:
        """Add what was gathered to a checkpoint; where nothing was, the first process's own."""
        checkpoint[KEY] = self._gathered or [self._outside or random_state()]
        self._gathered = None
