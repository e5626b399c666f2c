"""The metrics of exported files agree with mmengine's test loop."""

import json

import pytest
import torch
from click.testing import CliRunner
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from hrformer_mm import runtime
from hrformer_mm.cli import main
from hrformer_mm.commands.export import export
from hrformer_mm.commands.export.metadata import metadata
from hrformer_mm.commands.export.network import Network
from hrformer_mm.commands.model import build_model, load_model, read_config
from hrformer_mm.commands.test import test as run_test
from hrformer_mm.commands.test.exported import check_fit, open_exported, replace_network
from hrformer_mm.commands.test.testing import _build_loader, evaluate
from hrformer_mm.runtime.engines import Engine


class Program(Engine):
    """An engine that runs the network without exporting it."""

    def __init__(self, network):
        self.network, self.shape = network, [2, 3, None, None]

    def run(self, images):
        with torch.no_grad():
            return self.network(torch.from_numpy(images)).numpy()


@pytest.mark.parametrize('task', ['seg', 'pose', pytest.param('cls', marks=pytest.mark.slow)])
def test_metrics_are_those_of_a_runner(trained, tmp_path, task):
    config, checkpoint = trained(task)
    cfg = read_config(config)
    cfg.merge_from_dict(dict(work_dir=str(tmp_path / 'work'), load_from=checkpoint, resume=False))
    wanted = Runner.from_cfg(cfg).test()
    model = load_model(cfg, checkpoint)
    other = build_model(cfg)  # without the weights, which the file has
    replace_network(
        other,
        runtime._TASKS[metadata(cfg, model)['task']](Program(Network(model, cfg.default_scope)), metadata(cfg, model)),
    )
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        samples, metrics = evaluate(cfg, other, _build_loader(cfg, None, None), lambda batches: batches)
    assert samples >= 3 and metrics == pytest.approx(wanted, rel=1e-4) and max(metrics.values()) > 0


@pytest.fixture(scope='module')
def pose_file(micro, tmp_path_factory):
    path = tmp_path_factory.mktemp('exported') / 'pose.pt2'
    export(*micro['pose'], str(path))
    return str(path)


def call(*arguments):
    return CliRunner().invoke(main, ['test', *map(str, arguments)])


def test_command(trained, micro, pose_file, tmp_path):
    """Print a file and its checkpoint as a table and as JSON."""
    config, _ = trained('pose')
    rows = json.loads(call(config, pose_file, '--checkpoint', micro['pose'][1], '--limit', 2, '--json').stdout)
    assert [row['file'] for row in rows] == [micro['pose'][1], pose_file]
    assert all(row['precision'] == 'f32' and row['samples'] == 2 for row in rows)
    assert rows[0]['metrics']['EPE'] > 0 and rows[1]['metrics'] == pytest.approx(rows[0]['metrics'], rel=1e-4)
    result = call(config, pose_file, '--limit', 2, '--batch', 1)
    header, row, last = result.stdout.splitlines()
    assert header.split() == ['precision', 'EPE'] and row.split()[:2] == [pose_file, 'f32'] and last == '2 samples.'
    assert float(row.split()[2]) == pytest.approx(rows[0]['metrics']['EPE'], abs=1e-3)


def test_openvino_has_no_loader_workers(trained, pose_file, monkeypatch):
    """Workers forked from a process that computed with OpenVINO make it crash."""
    from hrformer_mm.commands.test import testing

    monkeypatch.setattr(testing, 'OpenVINO', Engine)  # of which every engine is an instance
    loaders = []
    build = Runner.build_dataloader
    monkeypatch.setattr(Runner, 'build_dataloader', lambda loader: loaders.append(loader) or build(loader))
    options = {'test_dataloader.num_workers': 2, 'test_dataloader.prefetch_factor': 2}
    assert len(list(run_test(trained('pose')[0], [pose_file], limit=1, options=options))) == 1
    assert loaders[0]['num_workers'] == 0 and 'prefetch_factor' not in loaders[0]


def test_finished_rows_are_printed(trained, micro, pose_file, monkeypatch):
    from hrformer_mm.commands.test import testing

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(testing, 'replace_network', interrupt)
    result = call(trained('pose')[0], pose_file, '--checkpoint', micro['pose'][1], '--limit', 1)
    assert result.exit_code == 130, result.output
    assert 'Interrupted' in result.stderr and micro['pose'][1] in result.stdout


@pytest.mark.parametrize(
    'task, arguments, message',
    [
        ('pose', ['none.onnx'], 'there is no exported file none.onnx'),
        ('pose', ['none.pt2'], 'there is no exported file none.pt2'),
        ('pose', ['cut.pt2'], 'cut.pt2 is not a program of torch.export, or is cut short'),
        ('pose', ['text.txt'], 'must end in .onnx, .xml or .pt2'),
        ('seg', ['{file}'], 'its task is pose, not segmentation'),
        ('pose', ['{file}', '--checkpoint', 'none.pth'], 'there is no checkpoint at none.pth'),
        (
            'pose',
            ['{file}', '--cfg-options', 'test_evaluator.ann_file=a.json', '--limit', '1'],
            '--limit is incompatible with the EPE of test_evaluator',
        ),
        ('pose', ['{file}', '--cfg-options', 'test_dataloader.dataset.data_root=none'], 'the test data cannot be read'),
        ('pose', ['{file}', '--cfg-options', 'test_evaluator=[]'], 'no test_evaluator'),
    ],
)
def test_bad_input(trained, pose_file, tmp_path, monkeypatch, task, arguments, message):
    monkeypatch.chdir(tmp_path)
    with open(pose_file, 'rb') as file:
        (tmp_path / 'cut.pt2').write_bytes(file.read()[:-500])
    (tmp_path / 'text.txt').write_text('text')
    result = call(trained(task)[0], *(word.format(file=pose_file) for word in arguments))
    assert result.exit_code == 1 and not result.stdout, result.output
    last = result.stderr.splitlines()[-1]
    assert last.startswith('Error: ') and message in last


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(keypoints=['a'] * 5), 'its number of classes or keypoints is 5, not 17'),
        (dict(rgb=False), 'its normalization'),
        (dict(codec=None), 'its codec is None, not {'),
        (dict(task='segmentation'), 'its task is segmentation, not pose'),
    ],
)
def test_files_of_other_models(pose_file, change, message):
    wanted = open_exported(pose_file).metadata
    check_fit(dict(wanted, precision='int8'), wanted, 'a.onnx', 'c.py')
    with pytest.raises(ValueError, match=f'a.onnx was exported from another model than that of c.py: {message}'):
        check_fit({**wanted, **change}, wanted, 'a.onnx', 'c.py')


@pytest.mark.slow
@pytest.mark.parametrize(
    'task, name, engine',
    [
        ('seg', 'a.onnx', 'onnxruntime'),
        ('seg', 'a.xml', 'openvino'),
        ('cls', 'a.xml', 'openvino'),
        ('cls', 'a.pt2', 'torch'),
    ],
)
def test_files(trained, tmp_path, task, name, engine):
    pytest.importorskip(engine)
    config, checkpoint = trained(task)
    path = str(tmp_path / name)
    export(config, checkpoint, path, 'aoti' if name == 'a.pt2' else None)
    first, second = run_test(config, [path], checkpoint)
    assert second.metrics == pytest.approx(first.metrics, rel=1e-3)
