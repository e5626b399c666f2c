"""What a training says about its data: classes that its model lacks, and samples that were left out."""

from collections.abc import Iterator
from typing import Any

from mmengine.runner import Runner

from ..checks import CheckedPipeline, head_classes


def warn_of_classes(runner: Runner) -> None:
    """Log where a data set has more classes than the model: a label of theirs would end in an obscure error."""
    most = head_classes(runner.cfg.get('model') or {})
    for dataset in _leaves(runner.train_dataloader.dataset):
        classes = len(getattr(dataset, 'metainfo', {}).get('classes') or ())
        if most and most < classes:
            runner.logger.warning(f'{type(dataset).__name__} has {classes} classes, but the head has num_classes='
                                  f'{most}: a label of {most} or more would end the training. Make them the same, or '
                                  'see with hrformer-mm check-data CONFIG that there is none')


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
