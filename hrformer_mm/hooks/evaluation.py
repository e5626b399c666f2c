"""The evaluators and the head of a runner: they must be for the data sets of its loops."""

from itertools import chain

from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop

from ..checks.evaluators import find_metrics, metric_problems
from ..checks.keypoints import head_problems
from ..checks.reading import refuse
from .datasets import data_sets, leaves


def check_evaluation(runner: Runner) -> None:
    """Compare the loops that are built with the model's head, and their metrics' annotation files with their own.

    Raises:
        DataError: If they disagree.
    """
    model = runner.cfg.get('model') or {}
    for split, loop in (('train', runner._train_loop), ('val', runner._val_loop), ('test', runner._test_loop)):
        if not isinstance(loop, BaseLoop):
            continue
        data = loop.dataloader.dataset
        refuse(
            chain.from_iterable(head_problems(model, dataset) for dataset in data_sets(data, inside=False)),
            f'{split}_dataloader.dataset',
        )
        for metric in find_metrics(getattr(loop, 'evaluator', None), f'{split}_evaluator'):
            refuse(metric_problems(metric, leaves(data)), metric.key)
