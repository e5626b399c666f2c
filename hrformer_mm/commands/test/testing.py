"""Evaluate a checkpoint and exported files on the test data of a config."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from ...checks.evaluators import find_metrics
from ...runtime.engines import OpenVINO
from ..common import Progress, silent
from ..export.metadata import metadata
from ..model import build_model, load_model, read_config
from .exported import check_fit, open_exported, replace_network


@dataclass
class Row:
    """The metrics of a file, its precision ('f32', 'bf16' or 'int8') and the number of test samples."""

    file: str
    precision: str
    samples: int
    metrics: dict[str, float]


def test(
    config: str,
    files: Sequence[str],
    checkpoint: str | None = None,
    batch: int | None = None,
    limit: int | None = None,
    progress: Progress = silent,
    options: Mapping[str, Any] | None = None,
) -> Iterator[Row]:
    """Evaluate exported files on the test data of a config, with its test_evaluator.

    A file replaces only the network. The data, pre- and post-processing are those of `mim test`.

    Args:
        config (str): A config file or a name in the zoo.
        files (Sequence[str]): Exported files of any format.
        checkpoint (str, optional): Weights to evaluate first.
        batch (int, optional): Images per batch. Default: the config's.
        limit (int, optional): Maximum number of samples, counted from the first. Default: all.
        progress (callable): Wraps the batches of a file, whose name is its second argument.
        options (Mapping[str, Any], optional): Changes to the config.

    Yields:
        Row: The row of the checkpoint, if it is given, then the row of each file.

    Raises:
        ImportError: If an engine is missing.
        FileNotFoundError, ValueError: If an argument is invalid, or a file was exported from another model.
    """
    cfg = read_config(config, options=options)
    opened = [open_exported(path) for path in files]
    model = load_model(cfg, checkpoint) if checkpoint else build_model(cfg)
    wanted = metadata(cfg, model)
    for path, exported in zip(files, opened):
        check_fit(exported.metadata, wanted, path, config)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        # Workers that are forked from a process with OpenVINO end in segmentation faults.
        workers = not any(isinstance(exported.engine, OpenVINO) for exported in opened)
        loader = _build_loader(cfg, batch, limit, workers)
        if checkpoint:
            yield Row(checkpoint, 'f32', *evaluate(cfg, model, loader, lambda batches: progress(batches, checkpoint)))
        for path, exported in zip(files, opened):
            replace_network(model, exported)
            found = evaluate(cfg, model, loader, lambda batches: progress(batches, path))
            yield Row(path, exported.metadata['precision'], *found)


def _build_loader(cfg: Config, batch: int | None, limit: int | None, workers: bool = True) -> DataLoader:
    if not cfg.get('test_dataloader') or not cfg.get('test_evaluator'):
        raise ValueError(f'{cfg.filename} has no test_dataloader or no test_evaluator: both are needed to test')
    loader = dict(cfg.test_dataloader)
    if not workers:
        loader.update(num_workers=0, persistent_workers=False)
        loader.pop('prefetch_factor', None)
    if batch:
        loader['batch_size'] = batch
    if limit:
        for metric in find_metrics(cfg.test_evaluator, 'test_evaluator'):
            raise ValueError(
                f'--limit is incompatible with the {metric.kind} of {metric.key}, which counts all images of its '
                'annotations: leave it out'
            )
        loader['dataset'] = dict(loader['dataset'], indices=limit)
    try:
        return Runner.build_dataloader(loader)
    except AssertionError as error:  # raised by the data set
        raise ValueError(f'{cfg.filename}: the test data cannot be read: {error}') from error


def evaluate(
    cfg: Config, model: Any, loader: DataLoader, progress: Callable[[Iterable], Iterable]
) -> tuple[int, dict[str, float]]:
    """Evaluate a model on test data as mmengine's test loop does.

    Returns:
        tuple: The number of samples, and the metrics.
    """
    dataset: Any = loader.dataset
    evaluator = Evaluator(cfg.test_evaluator)
    evaluator.dataset_meta = dataset.metainfo
    with torch.no_grad():
        for data in progress(loader):
            evaluator.process(model.test_step(data), data)
    metrics = evaluator.evaluate(len(dataset))
    # A metric that is not averaged is a list over the classes.
    return len(dataset), {name: float(value) for name, value in metrics.items() if np.ndim(value) == 0}
