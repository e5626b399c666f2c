"""Random states in checkpoints, by which a resumed training equals an uninterrupted one."""

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
_EPOCH_STEP = 1_000_003  # a large prime, so that the seeds of epochs, processes and workers do not coincide


def random_state() -> dict[str, Any]:
    """Return the random states of Python, NumPy and PyTorch as plain data that torch.load reads with weights_only."""
    state: Any = np.random.get_state()
    kind, keys, position, has_gauss, gauss = state
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
    """Restart the workers of a loop over iterations, which start when the loop is built.

    Args:
        loop (IterBasedTrainLoop): Loop that has not run yet.
        trained (int): Number of samples that an InfiniteSampler skips. Default: 0.
    """
    loader, iterator = loop.dataloader, type(loop.dataloader_iterator)
    loop.dataloader_iterator = loader._iterator = None  # terminates the old workers
    sampler = getattr(loader.batch_sampler, 'sampler', None)
    if isinstance(sampler, InfiniteSampler):  # other samplers restart with each iterator
        indices = InfiniteSampler(sampler.dataset, sampler.shuffle, sampler.seed).indices
        sampler.indices = islice(indices, trained, None)
    loop.dataloader_iterator = iterator(loader)


def _resumed(batches: Iterator, trained: int, state: Mapping[str, Any], skip: bool) -> Iterator:
    """Yield the batches of a resumed loop, which first requests those of the previous iterations.

    After the previous iterations the random state is restored. With `skip`, `batches` contains only the new batches,
    and None is yielded for the previous ones.
    """
    for _ in range(trained):
        yield None if skip else next(batches)
    set_random_state(state)
    yield from batches


class Randomness:
    """Saves the random states of all processes of a training in its checkpoints, and restores them."""

    def __init__(self) -> None:
        self._resumed: Mapping[str, Any] | None = None
        self._outside: dict | None = None
        self._gathered: list[dict] | None = None

    def prepare_resume(self, runner: Runner, checkpoint: Mapping[str, Any]) -> None:
        """Read the random states of a checkpoint, and rebuild the data loader if the seed differs.

        mmengine itself reads the seed of the checkpoint only after it has built the data loader.
        """
        states = checkpoint.get(KEY)
        if states is not None and len(states) == get_world_size():
            self._resumed = states[get_rank()]
        else:
            runner.logger.warning(
                f'The checkpoint contains the random states of {len(states or ())} processes, and this training has '
                f'{get_world_size()}: it continues with new random numbers and another order of the data'
            )
        seed = checkpoint['meta'].get('seed')
        # All processes must make the same decision, because building a loader synchronizes them.
        offset = get_rank() if runner._randomness_cfg.get('diff_rank_seed') else 0
        if seed is not None and seed != runner.seed - offset and runner.cfg.get('train_cfg'):
            runner._randomness_cfg.update(seed=seed)
            runner.set_randomness(**runner._randomness_cfg)
            runner._train_loop = runner.build_train_loop(runner.cfg.train_cfg)

    def resume_iterations(self, runner: Runner, replay: bool) -> None:
        """Restore the states after a loop over iterations has read or skipped the batches of previous iterations."""
        loop = runner.train_loop
        if self._resumed is None or not isinstance(loop, IterBasedTrainLoop):
            return
        skip = not replay and isinstance(loop.dataloader.sampler, InfiniteSampler)
        if skip:
            restart(loop, trained=runner.iter * loop.dataloader.batch_size)
        loop.dataloader_iterator = _resumed(loop.dataloader_iterator, runner.iter, self._resumed, skip)
        self._resumed = None

    def start_epoch(self, runner: Runner) -> None:
        """Restore the states at the start of an epoch, and seed the workers by the epoch, in loops over epochs."""
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
        """Store the states when a validation begins."""
        self._outside = random_state()

    def enter_training(self) -> None:
        """Restore the states when a validation ends, so that it does not affect the training."""
        self._gathered = None  # discards states for a best checkpoint that was not written
        if self._outside is not None:
            set_random_state(self._outside)
            self._outside = None

    def gather(self) -> None:
        """Gather the states of all processes. All processes must call this method; the first one saves the states."""
        self._gathered = all_gather_object(self._outside or random_state())

    def save(self, checkpoint: dict) -> None:
        """Add the gathered states to a checkpoint, or the states of this process if none were gathered."""
        checkpoint[KEY] = self._gathered or [self._outside or random_state()]
        self._gathered = None
