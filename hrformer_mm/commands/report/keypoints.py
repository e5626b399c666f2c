"""PCK of each keypoint, from the predictions that mmpose's CocoMetric keeps if it has an outfile_prefix."""

import contextlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Optional

import numpy as np
from mmengine.config import Config

from ..model import dataset_meta
from .reading import Run

THRESHOLDS = (0.05, 0.2)  # of the longer side of a person's box: that of mmpose's PCKAccuracy, and a wider one
_ENDING = '.keypoints.json'


@dataclass(frozen=True)
class KeypointScores:
    """Of each keypoint: how often it is labelled, and the PCK at each threshold, NaN where it never is."""
    names: Sequence[str]
    labelled: np.ndarray
    pck: np.ndarray
    matched: int
    people: int


def find(folder: Path, runs: Sequence[Run]) -> Optional[tuple[Path, Config, Mapping[str, Any]]]:
    """The newest run's predictions, its config and the metric that kept them; None if no run has any."""
    for run in reversed(runs):
        metrics = (run.config or {}).get('test_evaluator' if run.kind == 'test' else 'val_evaluator') or {}
        for metric in metrics if isinstance(metrics, (list, tuple)) else [metrics]:
            if metric.get('type') != 'CocoMetric' or not metric.get('outfile_prefix'):
                continue
            named = Path(metric['outfile_prefix'] + _ENDING)
            for path in (named, folder / named.name):  # a work folder may have been moved
                if path.is_file():
                    return path, run.config, metric
    return None


def score(path: Path, config: Config, metric: Mapping[str, Any]) -> KeypointScores:
    """Compute the PCK of the people that COCO's evaluation matches with a prediction at OKS 0.5.

    Raises:
        FileNotFoundError: If the annotations are not there.
        ImportError: If mmpose cannot be imported.
        ValueError: If the predictions are not those of the annotations, or of a converted or another kind of metric.
    """
    if metric.get('pred_converter') or metric.get('gt_converter') or metric.get('iou_type', 'keypoints') != 'keypoints':
        raise ValueError('its metric converts keypoints or is of another kind than COCO keypoints')
    annotations = Path(metric.get('ann_file') or '')
    if not annotations.is_file():
        raise FileNotFoundError(f"the metric's ann_file {annotations} is not there")
    from mmpose.evaluation.functional import keypoint_pck_accuracy
    from xtcocotools.coco import COCO
    from xtcocotools.cocoeval import COCOeval
    meta = dataset_meta(config)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(str(annotations))
            found = truth.loadRes(str(path))
            evaluation = COCOeval(truth, found, 'keypoints', meta['sigmas'], metric.get('use_area', True))
            evaluation.params.useSegm = None
            evaluation.evaluate()
    except (AssertionError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f'it does not fit {annotations.name} ({type(error).__name__}: {error})') from None
    everyone = evaluation.params.areaRng[0]
    pairs, people = [], 0
    for image in (entry for entry in evaluation.evalImgs if entry is not None and entry['aRng'] == everyone):
        for person, match, ignored in zip(image['gtIds'], image['gtMatches'][0], image['gtIgnore']):
            people += not ignored
            if not ignored and match >= 0:
                pairs.append((truth.anns[person], found.anns[int(match)]))
    names = [meta['keypoint_id2name'][number] for number in range(len(meta['sigmas']))]
    if not pairs:
        nothing = np.full((len(THRESHOLDS), len(names)), np.nan)
        return KeypointScores(names, np.zeros(len(names), int), nothing, 0, people)
    true, predicted = (np.array([person['keypoints'] for person in side], float).reshape(len(pairs), -1, 3)
                       for side in zip(*pairs))
    labelled = true[:, :, 2] > 0
    sides = np.array([[max(person['bbox'][2:])] * 2 for person, _ in pairs], float)
    pck = np.stack([keypoint_pck_accuracy(predicted[:, :, :2], true[:, :, :2], labelled, threshold, sides)[0]
                    for threshold in THRESHOLDS])
    return KeypointScores(names, labelled.sum(0), np.where(labelled.any(0), pck, np.nan), len(pairs), people)


def caption(path: Path, scores: KeypointScores) -> str:
    """What the figures are of."""
    written = datetime.fromtimestamp(path.stat().st_mtime).strftime('%Y-%m-%d %H:%M')
    return f'PCK of {scores.matched} of {scores.people} people: {path.name}, written {written}'
