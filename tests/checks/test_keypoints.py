"""Numbers, names and pairs of keypoints in the metainfo, the head and the codec."""

from types import SimpleNamespace

import pytest

import hrformer_mm  # noqa: F401  (mmpose needs its placeholders)
from hrformer_mm.checks import explain
from hrformer_mm.checks.keypoints import head_problems, metainfo_problems

utils = pytest.importorskip('mmpose.datasets.datasets.utils')


def info(change=lambda info: None):
    """Return the metainfo of three keypoints, two of which form a pair."""
    made = dict(
        dataset_name='three',
        joint_weights=[1.0] * 3,
        sigmas=[0.05] * 3,
        keypoint_info={
            0: dict(name='nose', swap=''),
            1: dict(name='left', swap='right'),
            2: dict(name='right', swap='left'),
        },
        skeleton_info={0: dict(link=('nose', 'left'))},
    )
    change(made)
    return made


def data_set(change=lambda info: None, *steps):
    return SimpleNamespace(metainfo=utils.parse_pose_metainfo(info(change)), pipeline=SimpleNamespace(transforms=steps))


def points(number, **values):
    return lambda info: info['keypoint_info'][number].update(values)


def renumber(info):
    info['keypoint_info'][5] = info['keypoint_info'].pop(2)


def reverse(info):
    """A dumped config sorts the ids as strings, so mmpose would swap the wrong keypoints in flipped images."""
    info['keypoint_info'] = dict(reversed(info['keypoint_info'].items()))


@pytest.mark.parametrize(
    'change',
    [
        lambda info: None,
        points(0, swap='nose'),
        lambda info: info.update(sigmas=[]),
        lambda info: info.update(joint_weights=[0.0, 1.0, 2.0]),
    ],
    ids=['plain', 'self swap', 'no sigmas', 'weights'],
)
def test_good_metainfo(change):
    assert not list(metainfo_problems(data_set(change)))


@pytest.mark.parametrize(
    'change, kind, said',
    [
        (points(2, swap=''), 'keypoint swap', "swaps 'left' with 'right', but 'right' with 'right'"),
        (points(0, swap='left'), 'keypoint swap', "swaps 'nose' with 'left', but 'left' with 'right'"),
        (renumber, 'keypoint ids', '[0, 1, 5]'),
        (reverse, 'keypoint ids', '[2, 1, 0]'),
        (lambda info: info.update(sigmas=[0.1] * 2), 'sigmas', '2 sigmas, but 3 keypoints in keypoint_info'),
        (lambda info: info.update(sigmas=[0.1, 0.0, 0.1]), 'sigmas', '0 in sigmas[1]'),
        (lambda info: info.update(sigmas=[0.1, 0.2, -1]), 'sigmas', '-1 in sigmas[2]'),
        (lambda info: info.update(joint_weights=[1.0] * 4), 'unused joint_weights', '4 joint_weights, but 3 keypoints'),
        (lambda info: info.update(joint_weights=[1, 1, float('nan')]), 'joint_weights', 'nan in joint_weights[2]'),
    ],
)
def test_faults_that_mmpose_accepts(change, kind, said):
    (problem,) = metainfo_problems(data_set(change))
    assert problem.kind == kind and said in problem.what and problem.path == 'metainfo of SimpleNamespace'


def test_weights_that_are_used():
    step = SimpleNamespace(use_dataset_keypoint_weights=True)
    (problem,) = metainfo_problems(data_set(lambda info: info.update(joint_weights=[1.0]), step))
    assert problem.kind == 'joint_weights'


@pytest.mark.parametrize(
    'change, said',
    [
        (points(1, swap='rihgt'), "keypoint_info[1].swap is 'rihgt', which is not a keypoint"),
        (points(2, name='nose'), "keypoint_info[2] has the name 'nose' of another one"),
        (lambda info: info['keypoint_info'][0].pop('name'), 'keypoint_info[0] is'),
        (
            lambda info: info['skeleton_info'][0].update(link=('nose', 'tail')),
            "skeleton_info[0].link is ('nose', 'tail')",
        ),
        (lambda info: info.update(keypoint_info=[]), 'keypoint_info is a list'),
        (lambda info: info.pop('sigmas'), 'it lacks sigmas'),
        (lambda info: info.update(sigmas=['a']), "sigmas is ['a']"),
    ],
)
def test_metainfo_that_mmpose_cannot_read(change, said):
    """mmpose raises a bare KeyError or AssertionError; the launcher and check-data explain it."""
    with pytest.raises(Exception) as raised:
        utils.parse_pose_metainfo(info(change))
    assert said in str(explain(raised.value)) and 'metainfo (dataset_info) cannot be read' in str(explain(raised.value))


def test_a_metainfo_file_that_is_missing():
    with pytest.raises(FileNotFoundError) as raised:
        utils.parse_pose_metainfo(dict(from_file='no_such.py'))
    assert 'no_such.py" does not exist.' in str(explain(raised.value))


@pytest.mark.parametrize(
    'head, key',
    [
        (dict(type='HeatmapHead', out_channels=17), 'model.head.out_channels is 17, but the keypoints of the metainfo'),
        (dict(type='RegressionHead', num_joints=5), 'model.head.num_joints is 5'),
        (
            dict(type='VisPredictHead', pose_cfg=dict(type='SimCCHead', out_channels=2)),
            'model.head.pose_cfg.out_channels is 2',
        ),
        (dict(type='RTMOHead', num_keypoints=4), 'model.head.num_keypoints is 4'),
        (
            dict(out_channels=3, decoder=dict(type='UDPHeatmap', heatmap_type='combined')),
            'model.head.out_channels is 3, '
            'but the keypoints of the metainfo of SimpleNamespace are 3, of 3 channels each',
        ),
        (dict(decoder=dict(type='EDPoseLabel', num_keypoints=17)), 'model.head.decoder.num_keypoints is 17'),
        (
            dict(decoder=dict(type='AssociativeEmbedding', decode_keypoint_order=[0, 1])),
            'model.head.decoder.decode_keypoint_order is 2',
        ),
    ],
)
def test_heads_of_another_number(head, key):
    (problem,) = head_problems(dict(head=head), data_set())
    assert str(problem).startswith(key) and problem.kind == 'number of keypoints'


@pytest.mark.parametrize(
    'head',
    [
        dict(out_channels=3),
        dict(out_channels=9, decoder=dict(type='UDPHeatmap', heatmap_type='combined')),
        dict(type='mmpose.TrajectoryRegressionHead', num_joints=1),
        dict(num_classes=2),
        None,
    ],
)
def test_heads_that_fit(head):
    assert not list(head_problems(dict(head=head), data_set()))
    assert not list(
        head_problems(dict(head=dict(out_channels=9)), SimpleNamespace(metainfo=dict(classes=('a',)), pipeline=None))
    )


def test_converted_keypoints():
    class KeypointConverter:
        num_keypoints = 21

    assert not list(head_problems(dict(head=dict(out_channels=21)), data_set(lambda info: None, KeypointConverter())))
