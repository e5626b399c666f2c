"""How many samples a training left out because they were bad."""

from collections.abc import Iterator
from typing import Any

from mmengine.runner import Runner

from ..checks import CheckedPipeline


def report_left_out(runner: Runner) -> None:
    """Log, at the end, what each data set of this process left out; nothing where there was nothing."""
    for dataset in _leaves(runner.train_dataloader.dataset):
        pipeline = getattr(dataset, 'pipeline', None)
        if isinstance(pipeline, CheckedPipeline) and pipeline.skipped:
            runner.logger.warning(f'{pipeline.where}: {pipeline.skipped} of {len(dataset)} samples were bad and left '
                                  'out (ignore_empty of its pipeline); each is named above')


def _leaves(dataset: Any) -> Iterator[Any]:
    inside = getattr(dataset, 'datasets', None) or [d for d in [getattr(dataset, 'dataset', None)] if d is not None]
    if not inside:
        yield dataset
    for child in inside:
        yield from _leaves(child)
