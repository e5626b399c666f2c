import pytest
import torch
import torch.nn.functional as F

from hrformer_mm.models import CrossEntropyLoss

WEIGHTS = [0.5, 1.0, 2.0, 0.1]


@pytest.fixture
def batch():
    labels = torch.randint(0, 4, (2, 6, 5))
    labels[:, :2] = 255
    return torch.randn(2, 4, 6, 5, requires_grad=True), labels


@pytest.mark.parametrize('class_weight', [None, WEIGHTS])
def test_equals_pytorch_over_pixels_that_are_not_ignored(batch, class_weight):
    weight = None if class_weight is None else torch.tensor(class_weight)
    expected = 0.4 * F.cross_entropy(*batch, weight, ignore_index=255)
    assert torch.allclose(CrossEntropyLoss(class_weight, loss_weight=0.4)(*batch), expected)


def test_mean_over_hard_examples(batch):
    """As in the authors' code, the loss is the mean of the weighted losses of the selected pixels."""
    logits, labels = batch
    kept = (torch.rand(labels.shape) < 0.3) & (labels != 255)
    losses = F.cross_entropy(logits, labels, torch.tensor(WEIGHTS), ignore_index=255, reduction='none')
    assert torch.allclose(CrossEntropyLoss(WEIGHTS)(logits, labels, kept.float()), losses[kept].mean())


def test_loss_without_valid_pixels_is_zero(batch):
    logits, labels = batch
    loss = CrossEntropyLoss(WEIGHTS)(logits, torch.full_like(labels, 255))
    loss.backward()
    assert loss == 0 and not logits.grad.any()


def test_has_no_state_and_checks_its_classes(batch):
    assert not CrossEntropyLoss(WEIGHTS).state_dict()
    with pytest.raises(ValueError, match='class_weight has 3 entries, but there are 4 classes'):
        CrossEntropyLoss(WEIGHTS[:3])(*batch)


def test_a_label_beyond_the_classes_is_an_error(batch):
    logits, labels = batch
    labels[0, 5, 0] = 4
    with pytest.raises(IndexError, match='4'):
        CrossEntropyLoss(WEIGHTS)(logits, labels)
