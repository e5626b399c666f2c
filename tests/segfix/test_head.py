import pytest
import torch
import torch.nn.functional as F

import hrformer_mm  # noqa: F401

pytest.importorskip('mmseg')
from mmengine.structures import PixelData
from mmseg.registry import MODELS
from mmseg.structures import SegDataSample


def build(**options):
    return MODELS.build(dict(type='hrformer_mm.SegFixHead', in_channels=[4, 8], in_index=(0, 1), channels=6, **options))


def samples(labels):
    return [SegDataSample(gt_sem_seg=PixelData(data=one[None])) for one in labels]


def test_losses_equal_the_formula():
    torch.manual_seed(0)
    head, logits = build(), torch.randn(2, 10, 6, 7, requires_grad=True)
    labels = torch.randint(0, 16, (2, 6, 7))
    labels[0, :2] = 255
    losses = head.loss_by_feat(logits, samples(labels))

    def balanced(logits, labels):
        """Plain loops over pixels: the mean of -log p, weighted by the share of the other classes."""
        shares = torch.tensor([(labels == c).sum() for c in range(logits.shape[1])]) / len(labels)
        weights = 1 - shares[labels]
        return (weights * -F.log_softmax(logits, 1)[range(len(labels)), labels]).sum() / weights.sum()

    flat, target = logits.permute(0, 2, 3, 1).reshape(-1, 10), labels.flatten()
    known = target != 255
    flat, target = flat[known], target[known]
    torch.testing.assert_close(losses['loss_boundary'], balanced(flat[:, :2], target // 8))
    said = flat[:, 1] > flat[:, 0]
    torch.testing.assert_close(losses['loss_direction'], balanced(flat[said][:, 2:], target[said] % 8))
    assert losses['acc_boundary'] == 100 * (said == (target >= 8)).float().mean()
    sum(value for name, value in losses.items() if 'loss' in name).backward()
    assert logits.grad.abs().sum() > 0


def test_losses_without_valid_pixels():
    head, logits = build(), torch.randn(1, 10, 4, 4, requires_grad=True)
    losses = head.loss_by_feat(logits, samples(torch.full((1, 4, 4), 255)))
    assert losses['loss_boundary'] == losses['loss_direction'] == 0


def test_training_reduces_the_losses():
    """A few steps on one image: boundaries are found, and directions where they are."""
    torch.manual_seed(0)
    head = build().train()
    maps = [torch.randn(1, 4, 16, 16), torch.randn(1, 8, 8, 8)]
    labels = torch.zeros(1, 16, 16, dtype=torch.int64)
    labels[:, :, 5:11] = 8 + 4
    maps[0][:, 0] = 2 * (labels >= 8)
    optimizer = torch.optim.Adam(head.parameters(), 0.02)
    values = []
    for _ in range(60):
        losses = head.loss_by_feat(head(maps), samples(labels))
        optimizer.zero_grad()
        total = losses['loss_boundary'] + losses['loss_direction']
        total.backward()
        optimizer.step()
        values.append(losses['acc_boundary'].item())
    assert values[-1] > 95 > values[0]


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(in_channels=4), r'in_channels must be a list, but is 4'),
        (dict(in_channels=[4, 0]), r'in_channels\[1\] is 0, but must be at least 1'),
        (dict(channels=0), 'channels is 0, but must be at least 1'),
        (dict(align_corners='yes'), "align_corners must be True or False, but is 'yes'"),
        (dict(norm_cfg=dict(type='BM')), "norm_cfg is .*'BM'.*, but must be a norm of maps"),
    ],
)
def test_wrong_arguments(options, message):
    from hrformer_mm.segfix.head import SegFixHead

    with pytest.raises((TypeError, ValueError), match=message):
        SegFixHead(**{**dict(in_channels=[4, 8], in_index=(0, 1), channels=6), **options})
