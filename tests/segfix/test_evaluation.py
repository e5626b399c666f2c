import numpy as np
import pytest
import torch
from mmengine.registry import EVALUATOR, METRICS, TRANSFORMS
from mmengine.structures import PixelData
from PIL import Image

import hrformer_mm  # noqa: F401
from hrformer_mm.segfix import boundary_targets, predicted_offsets
from hrformer_mm.segfix.files import read_offsets, write_offsets

pytest.importorskip('mmseg')
import mmseg.evaluation  # noqa: F401
from mmseg.structures import SegDataSample


def labels_of(columns):
    labels = np.zeros((24, 32), np.uint8)
    labels[:, columns:] = 1
    return labels


def logits_of(targets):
    targets = torch.from_numpy(targets.astype(np.int64))
    one_hot = torch.nn.functional.one_hot
    return torch.cat([one_hot(targets // 8, 2), one_hot(targets % 8, 8)], dim=2).permute(2, 0, 1).float()


def sample(**maps):
    found = SegDataSample(metainfo=dict(img_path='somewhere/image.png', ori_shape=(24, 32)))
    for name, data in maps.items():
        setattr(found, name, PixelData(data=data))
    return found


def test_transform_equals_the_function():
    step = TRANSFORMS.build(dict(type='hrformer_mm.BoundaryTargets'))
    assert (step(dict(gt_seg_map=labels_of(9)))['gt_seg_map'] == boundary_targets(labels_of(9))).all()


def test_offsets_are_scored_and_written(tmp_path):
    truth = boundary_targets(labels_of(16))
    said = boundary_targets(labels_of(18))
    metric = METRICS.build(dict(type='hrformer_mm.OffsetMetric', output_dir=str(tmp_path / 'new/offsets')))
    both = sample(seg_logits=logits_of(said), gt_sem_seg=torch.from_numpy(truth.astype(np.int64))[None])
    metric.process(None, [both.to_dict()])
    scores = metric.evaluate(1)
    # 10 columns near each boundary, 8 of them near both; there, 2 columns between them point to opposite sides.
    assert scores['boundary_IoU'] == pytest.approx(100 * 8 / 12)
    assert scores['direction_accuracy'] == pytest.approx(100 * 6 / 8)
    assert (
        read_offsets(tmp_path / 'new/offsets/image.mat') == predicted_offsets(logits_of(said)[None])[0].numpy()
    ).all()


def test_format_only(tmp_path):
    metric = METRICS.build(dict(type='hrformer_mm.OffsetMetric', output_dir=str(tmp_path), format_only=True))
    metric.process(None, [sample(seg_logits=logits_of(boundary_targets(labels_of(9)))).to_dict()])
    assert metric.evaluate(1) == {} and (tmp_path / 'image.mat').exists()
    with pytest.raises(ValueError, match='output_dir must name a folder'):
        METRICS.build(dict(type='hrformer_mm.OffsetMetric', format_only=True))


def test_metrics_see_refined_labels(tmp_path):
    truth, wrong = labels_of(16), labels_of(18)
    write_offsets(tmp_path / 'image.mat', predicted_offsets(logits_of(boundary_targets(truth))[None])[0].numpy())

    def score(evaluator):
        evaluator.dataset_meta = dict(classes=('a', 'b'))
        evaluator.process(
            [sample(pred_sem_seg=torch.from_numpy(wrong)[None], gt_sem_seg=torch.from_numpy(truth)[None])]
        )
        return evaluator.evaluate(1)['mIoU']

    metric = dict(type='mmseg.IoUMetric', iou_metrics=['mIoU'])
    assert score(EVALUATOR.build(dict(type='Evaluator', metrics=[metric]))) < 95
    refined = dict(type='hrformer_mm.SegFixEvaluator', offsets=str(tmp_path), metrics=[metric])
    assert score(EVALUATOR.build(refined)) == 100
    (tmp_path / 'image.mat').unlink()
    with pytest.raises(FileNotFoundError, match='there are no offsets .*image.mat'):
        score(EVALUATOR.build(refined))


def test_files_for_a_server_are_refined(tmp_path):
    truth, wrong = labels_of(16), labels_of(18)
    (tmp_path / 'offsets').mkdir()
    targets = boundary_targets(truth)
    write_offsets(tmp_path / 'offsets/image.mat', predicted_offsets(logits_of(targets)[None])[0].numpy())
    metric = dict(type='mmseg.IoUMetric', format_only=True, output_dir=str(tmp_path / 'out'))
    evaluator = EVALUATOR.build(
        dict(type='hrformer_mm.SegFixEvaluator', offsets=str(tmp_path / 'offsets'), metrics=[metric])
    )
    evaluator.dataset_meta = dict(classes=('a', 'b'))
    evaluator.process([sample(pred_sem_seg=torch.from_numpy(wrong)[None])])
    assert (np.array(Image.open(tmp_path / 'out/image.png')) == truth).all()
