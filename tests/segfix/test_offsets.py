import math

import numpy as np
import pytest
import torch

from hrformer_mm.segfix import DIRECTIONS, boundary_targets, predicted_offsets, refine_labels


def halves(size=40, columns=20):
    labels = np.zeros((size, size), np.uint8)
    labels[:, columns:] = 3
    return labels


def test_targets_of_two_halves():
    targets = boundary_targets(halves())
    near, direction = targets // 8, targets % 8
    assert (near[:, 15:25] == 1).all() and (near[:, :15] == 0).all() and (near[:, 25:] == 0).all()
    assert (direction[:, 15:20] == DIRECTIONS.index((0, -1))).all()  # away from the boundary, to the left
    assert (direction[:, 20:25] == DIRECTIONS.index((0, 1))).all()


def test_a_direction_leads_away_from_the_nearest_boundary():
    """Of a disc, by geometry: inside to the centre, outside away from it."""
    y, x = np.mgrid[:61, :61] - 30
    radius = np.hypot(y, x)
    targets = boundary_targets((radius <= 18).astype(np.uint8))
    for row, column in ((30, 45), (18, 30), (42, 42), (19, 41), (30, 10), (12, 12), (52, 30)):
        inside = radius[row, column] <= 18
        step = np.array([30 - row, 30 - column]) * (1 if inside else -1)
        angle = math.degrees(math.atan2(*step))
        nearest = min(DIRECTIONS, key=lambda d: abs((math.degrees(math.atan2(*d)) - angle + 180) % 360 - 180))
        assert DIRECTIONS[targets[row, column] % 8] == nearest


def test_nearness_is_the_distance_to_another_class(rng=np.random.default_rng(0)):
    """Against a loop over all pairs of pixels."""
    labels = np.kron(rng.integers(0, 2, (3, 3)), np.ones((12, 12), np.int64)).astype(np.uint8)
    labels[0, 0] = 255
    targets = boundary_targets(labels)
    places = np.argwhere(np.ones_like(labels, bool))
    for row, column in places[::7]:
        others = places[labels[tuple(places.T)] != labels[row, column]]
        distance = np.hypot(*(others - (row, column)).T).min()
        assert (labels[row, column] == 255) == (targets[row, column] == 255)
        if labels[row, column] != 255:
            assert targets[row, column] // 8 == (int(distance) <= 5)


def test_single_class_has_no_boundary():
    """Crops of road or sky alone."""
    assert (boundary_targets(np.full((30, 40), 7, np.uint8)) // 8 == 0).all()


def test_small_classes_have_no_boundary():
    labels = np.zeros((30, 30), np.uint8)
    labels[10:15, 10:15] = 1
    assert (boundary_targets(labels)[10:15, 10:15] // 8 == 1).all()
    assert (boundary_targets(np.full((5, 5), 255, np.uint8)) == 255).all()


def test_offsets_correct_a_wrong_boundary():
    """Labels that bleed 2 pixels over the boundary, and targets of the true ones."""
    truth, wrong = halves(), halves(columns=22)
    targets = torch.from_numpy(boundary_targets(truth).astype(np.int64))
    logits = (
        torch.cat([torch.nn.functional.one_hot(targets // 8, 2), torch.nn.functional.one_hot(targets % 8, 8)], dim=2)
        .permute(2, 0, 1)
        .float()
    )
    offsets = predicted_offsets(logits[None])[0]
    refined = refine_labels(torch.from_numpy(wrong), offsets, scale=2)
    assert (refined.numpy() == truth).all() and (wrong != truth).any()


def test_refined_label_is_the_label_at_the_offset():
    rng = np.random.default_rng(0)
    labels, offsets = rng.integers(0, 19, (9, 13)), rng.integers(-2, 3, (2, 9, 13))
    expected = [
        [labels[min(max(i + 3 * offsets[0, i, j], 0), 8), min(max(j + 3 * offsets[1, i, j], 0), 12)] for j in range(13)]
        for i in range(9)
    ]
    refined = refine_labels(torch.from_numpy(labels), torch.from_numpy(offsets.astype(np.int8)), scale=3)
    assert refined.tolist() == np.array(expected).tolist()
    with pytest.raises(ValueError, match=r'offsets are \(2, 9, 12\), but must be \(2, 9, 13\)'):
        refine_labels(torch.from_numpy(labels), torch.from_numpy(offsets[:, :, 1:]), 3)


def test_offsets_are_zero_far_from_a_boundary():
    logits = torch.randn(2, 10, 4, 5)
    logits[:, 0] = logits[:, 1] + 1
    offsets = predicted_offsets(logits)
    assert offsets.shape == (2, 2, 4, 5) and not offsets.any()
