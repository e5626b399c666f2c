"""Checks of a runner's data sets before they are read, and a report of skipped samples."""

from collections.abc import Iterable, Iterator
from typing import Any

from mmengine.dataset import BaseDataset
from mmengine.runner import IterBasedTrainLoop, Runner
from mmengine.runner.base_loop import BaseLoop

from ..checks import CheckedPipeline, DataError, Problem, check_start, head_classes
from ..checks.classification import folder_problems
from ..checks.config import config_problems
from ..checks.segmentation import count_labels, ignored_labels
from .randomness import restart

# Problems of a config that would end the training, or let it use unintended data.
_FATAL = ('topk', 'number of classes', 'class folders')


def check_loops(runner: Runner) -> None:
    """Check the config and the data sets of all loops that are built, and let the pipelines check each sample.

    Raises:
        DataError: If a data set cannot be used.
    """
    loops = dict(train=runner._train_loop, val=runner._val_loop, test=runner._test_loop)
    loops = {split: loop for split, loop in loops.items() if isinstance(loop, BaseLoop)}
    found = {split: list(data_sets(loop.dataloader.dataset)) for split, loop in loops.items()}
    _report(runner, config_problems(runner.cfg, tuple(loops)))
    _report(runner, folder_problems({split: datasets[0] for split, datasets in found.items() if datasets}, runner.cfg))
    most = head_classes(runner.cfg.get('model') or {})
    for split, loop in loops.items():
        ignored = ignored_labels(runner.cfg, split)
        changed = [check_start(dataset, most if split == 'train' else None, ignored) for dataset in found[split]]
        for dataset, count in count_labels(found[split]) if any(changed) else ():
            problem = count.problem(dataset)
            if problem and split == 'train' and not count.pixels[: len(dataset.metainfo['classes'])].any():
                raise DataError(str(problem), problem)
            _report(runner, [problem] if problem else [])
        if any(changed) and isinstance(loop, IterBasedTrainLoop) and loop.dataloader.num_workers > 0:
            restart(loop)  # the workers started with the loop, before the pipelines got their checks


def _report(runner: Runner, problems: Iterable[Problem]) -> None:
    """Raise the first fatal problem, and log the others."""
    for problem in problems:
        if problem.kind in _FATAL or (problem.kind, problem.path) == ('ignored option', 'data_root'):
            raise DataError(str(problem), problem)
        runner.logger.warning(str(problem))


def warn_of_classes(runner: Runner) -> None:
    """Warn if a data set has more classes than the head, because their labels would cause an obscure error."""
    most = head_classes(runner.cfg.get('model') or {})
    for dataset in data_sets(runner.train_dataloader.dataset):
        classes = len(dataset.metainfo.get('classes') or ())
        if most and most < classes:
            runner.logger.warning(
                f'{type(dataset).__name__} has {classes} classes, but the head has num_classes='
                f'{most}: a label of {most} or more would end the training. Make both numbers equal, or run '
                'hrformer-mm check-data CONFIG to check that no such label exists'
            )


def report_skipped(runner: Runner) -> None:
    """Log how many samples of each data set this process skipped, if any."""
    for dataset in data_sets(runner.train_dataloader.dataset):
        pipeline = dataset.pipeline
        if isinstance(pipeline, CheckedPipeline) and pipeline.skipped:
            runner.logger.warning(
                f'{pipeline.where}: {pipeline.skipped} of {len(dataset)} samples were bad and left out '
                '(ignore_empty of its pipeline); each of them is logged above'
            )


def data_sets(dataset: Any, inside: bool = True) -> Iterator[BaseDataset]:
    """Yield the data sets in wrappers.

    Args:
        dataset (Any): A data set or a wrapper of data sets.
        inside (bool): Also yield the data sets inside a `BaseDataset`, before it. Default: True.
    """
    is_base = isinstance(dataset, BaseDataset)
    if inside or not is_base:
        dataset = dataset if is_base else getattr(dataset, '_dataset', dataset)  # of mmengine's num_batch_per_epoch
        for child in getattr(dataset, 'datasets', None) or [getattr(dataset, 'dataset', None)]:
            if child is not None:
                yield from data_sets(child, inside)
    if isinstance(dataset, BaseDataset):
        yield dataset


def leaves(dataset: Any) -> list[BaseDataset]:
    """Return the data sets that read files themselves and do not combine others."""
    return [leaf for leaf in data_sets(dataset) if not getattr(leaf, 'datasets', None)]
