"""Checks that the evaluators and the head of a runner match the data sets of its loops."""

from itertools import chain

from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop

from ..checks.evaluators import find_metrics, metric_problems
from ..checks.keypoints import head_problems
from ..checks.reading import refuse
from .datasets import data_sets, leaves


def check_evaluation(runner: Runner) -> None:
    """Check the data sets of all loops that are built against the head and the annotation files of the metrics.

    Raises:
        DataError: If they do not match.
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
