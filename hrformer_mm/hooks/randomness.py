"""The random states, saved and restored so that a resumed training equals one that was not interrupted."""

import random
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Any

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
        cuda=torch.cuda.get_rng_state() if torch.cuda.is_available() else None,
    )


def set_random_state(state: Mapping[str, Any]) -> None:
    """Restore what :func:`random_state` returned."""
    version, internal, gauss = state['python']
    random.setstate((version, tuple(internal), gauss))
    kind, keys, *rest = state['numpy']
    np.random.set_state((kind, keys.cpu().numpy().astype(np.uint32), *rest))
    torch.set_rng_state(state['torch'].cpu())
    if state['cuda'] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


def restart(loop: IterBasedTrainLoop, trained: int = 0) -> None:
    """Let a loop over iterations start reading again, with new workers: it starts them when it is built.

    Args:
        loop (IterBasedTrainLoop): A loop that has not run.
        trained (int): The number of samples to skip, which an InfiniteSampler can. Default: 0.
    """
    loader, iterator = loop.dataloader, type(loop.dataloader_iterator)
    loop.dataloader_iterator = loader._iterator = None  # ends the old workers
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    if isinstance(sampler, InfiniteSampler):  # other samplers start again by themselves
        indices = InfiniteSampler(sampler.dataset, sampler.shuffle, sampler.seed).indices
        sampler.indices = islice(indices, trained, None)
    loop.dataloader_iterator = iterator(loader)


def _resumed(batches: Iterator, trained: int, state: Mapping[str, Any], skip: bool) -> Iterator:
    """The batches of a resumed loop, which asks first for those that were trained on; after these the state is set.

    With `skip`, `batches` are only the new ones, and None stands for the others.
    """
    for _ in range(trained):
        yield None if skip else next(batches)
    set_random_state(state)
    yield from batches


class Randomness:
    """The random states of a training's processes, which a checkpoint holds."""

    def __init__(self) -> None:
        self._resumed: Mapping[str, Any] | None = None
        self._outside: dict | None = None
        self._gathered: list[dict] | None = None

    def prepare_resume(self, runner: Runner, checkpoint: Mapping[str, Any]) -> None:
        """Build the data loader again with the seed in the checkpoint, which mmengine reads later than it builds it."""
        states = checkpoint.get(KEY)
        if states is not None and len(states) == get_world_size():
            self._resumed = states[get_rank()]
        else:
            runner.logger.warning(
                f'The checkpoint holds the random states of {len(states or ())} processes, and this training has '
                f'{get_world_size()}: it continues with new random numbers and another order of the data'
            )
        seed = checkpoint['meta'].get('seed')
        # All processes must decide alike: building a loader synchronises them.
        offset = get_rank() if runner._randomness_cfg.get('diff_rank_seed') else 0
        if seed is not None and seed != runner.seed - offset and runner.cfg.get('train_cfg'):
            runner._randomness_cfg.update(seed=seed)
            runner.set_randomness(**runner._randomness_cfg)
            runner._train_loop = runner.build_train_loop(runner.cfg.train_cfg)

    def resume_iterations(self, runner: Runner, replay: bool) -> None:
        """For loops over iterations: restore the states once the loop has read, or skipped, what was trained on."""
        loop = runner.train_loop
        if self._resumed is None or not isinstance(loop, IterBasedTrainLoop):
            return
        skip = not replay and isinstance(loop.dataloader.sampler, InfiniteSampler)
        if skip:
            restart(loop, trained=runner.iter * loop.dataloader.batch_size)
        loop.dataloader_iterator = _resumed(loop.dataloader_iterator, runner.iter, self._resumed, skip)
        self._resumed = None

    def start_epoch(self, runner: Runner) -> None:
        """For loops over epochs: restore the states, and seed the workers by the epoch."""
        loader = runner.train_loop.dataloader
        if isinstance(runner.train_loop, IterBasedTrainLoop):
            return
        if loader.num_workers > 0:
            # The random numbers of persistent workers would differ from those of a resumed training.
            loader._iterator = None
            loader.worker_init_fn = partial(
                worker_init_fn,
                num_workers=loader.num_workers,
                rank=get_rank(),
                seed=(runner.seed + _EPOCH_STEP * runner.epoch) % 2**31,
            )
        if self._resumed is not None:
            set_random_state(self._resumed)
            self._resumed = None

    def leave_training(self, runner: Runner) -> None:
        """Keep the states when a validation begins."""
        self._outside = random_state()

    def enter_training(self) -> None:
        """Restore them when it ends, so that a validation does not change the training."""
        self._gathered = None  # gathered for a best checkpoint that was not written
        if self._outside is not None:
            set_random_state(self._outside)
            self._outside = None

    def gather(self) -> None:
        """Collect the training's states from all processes, which all call this; the first one saves them."""
        self._gathered = all_gather_object(self._outside or random_state())

    def save(self, checkpoint: dict) -> None:
        """Add the gathered states to a checkpoint, or this process's own if none were gathered."""
        checkpoint[KEY] = self._gathered or [self._outside or random_state()]
        self._gathered = None
