"""The page about a training: its figures are those of the files that a real one left."""

import base64
import json
import math
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from mmengine.config import Config
from mmengine.hooks import Hook
from mmengine.registry import DefaultScope
from mmengine.runner import Runner

from hrformer_mm.cli import main
from hrformer_mm.data import synthesize
from hrformer_mm.commands.report import report
from hrformer_mm.commands.report.log import read_table
from hrformer_mm.commands.report.plots import plot, running_mean
from hrformer_mm.commands.report.training import Curve


class Page(HTMLParser):
    """A page's tables, notes, pictures and text."""

    def __init__(self, path):
        super().__init__()
        self.source = Path(path).read_text(encoding='utf-8')
        self.tables, self.notes, self.addresses, self.pre, self._into = [], [], [], [], None
        self.feed(self.source)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.addresses += [value for name, value in attributes.items() if name in ('src', 'href', 'xlink:href')]
        if tag == 'table':
            self.tables.append([])
        elif tag == 'tr':
            self.tables[-1].append([])
        elif tag in ('th', 'td'):
            self.tables[-1][-1].append('')
            self._into = self.tables[-1][-1]
        elif tag == 'pre' or (tag == 'p' and attributes.get('class') == 'note'):
            self._into = self.pre if tag == 'pre' else self.notes
            self._into.append('')

    def handle_endtag(self, tag):
        if tag in ('th', 'td', 'pre', 'p'):
            self._into = None

    def handle_data(self, data):
        if self._into is not None:
            self._into[-1] += data

    def table(self, first):
        """The rows of the first table whose first column is called so, by that column."""
        rows = next(table for table in self.tables if table[0][0] == first)
        return {row[0]: dict(zip(rows[0][1:], row[1:])) for row in rows[1:]}

    def curves(self, title):
        """The points of each curve in a picture, in pixels; y goes up."""
        svg = re.search(rf'<svg [^>]*aria-label="{title}">.*?</svg>', self.source, re.DOTALL)[0]
        paths = re.findall(r'class="curve-\d+">\s*<path d="([^"]+)"', svg)
        return [np.array(re.findall(r'[ML] ([\d.]+) ([\d.]+)', path), float) * (1, -1) for path in paths]


class Interrupt(Hook):
    """Ends a training as Ctrl-C does."""

    priority = 'VERY_LOW'

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == 3:
            raise KeyboardInterrupt


def records(work_dir):
    """Every line of every run's records, oldest run first."""
    return [[json.loads(line) for line in path.read_text().splitlines()]
            for path in sorted(work_dir.glob('*/vis_data/scalars.json'))]


def run(cfg, name, train=True, hooks=(), **others):
    cfg = Config(dict(cfg.to_dict(), experiment_name=f'report_{name}', **others))
    cfg.visualizer.name = f'report_{name}'  # in one process, those of one name are one
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        runner = Runner.from_cfg(cfg)
        for hook in hooks:
            runner.register_hook(hook)
        runner.train() if train else runner.test()


@pytest.fixture(scope='module')
def work(micro, tmp_path_factory):
    """`work['seg']`: interrupted after 3 iterations, resumed after 2, tested; `work['interrupted']`: its first run."""
    folder = tmp_path_factory.mktemp('report')
    synthesize(folder / 'data', layouts=('custom', ), train=2, val=3, size=(96, 64))
    cfg = Config.fromfile(micro['seg'][0])
    cfg.merge_from_dict(dict(
        work_dir=str(folder / 'seg'), load_from=None, train_cfg=dict(max_iters=4, val_interval=2),
        default_hooks=dict(logger=dict(interval=1), checkpoint=dict(interval=2, save_best='mIoU')),
        log_processor=dict(window_size=1), model=dict(data_preprocessor=dict(size=(64, 64)))))
    for split in ('train', 'val', 'test'):
        loader = cfg[f'{split}_dataloader']
        loader.update(num_workers=0, persistent_workers=False, batch_size=2 if split == 'train' else 3)
        loader.dataset.data_root = str(folder / 'data/custom')
        for step in loader.dataset.pipeline:
            if step.type in ('RandomResize', 'Resize', 'RandomCrop'):
                step['crop_size' if step.type == 'RandomCrop' else 'scale'] = (64, 64)
    with pytest.raises(KeyboardInterrupt):
        run(cfg, 'seg_1', hooks=[Interrupt()])
    shutil.copytree(folder / 'seg', folder / 'interrupted')
    run(cfg, 'seg_2', resume=True)
    cfg.default_hooks.visualization.update(draw=True, interval=1)
    run(cfg, 'seg_3', train=False, load_from=str(folder / 'seg/iter_4.pth'))
    for path in folder.glob('*/2*.py'):  # of runs without a config file, they are called as the runs are
        path.unlink()
    return {name: folder / name for name in ('seg', 'interrupted')}


@pytest.fixture(scope='module')
def pages(work, tmp_path_factory):
    folder = tmp_path_factory.mktemp('pages')
    for name in work:
        report(str(work[name]), str(folder / f'{name}.html'), images=2)
    return {name: Page(folder / f'{name}.html') for name in work}


def same_shape(points, x, y):
    """Whether a drawn curve is the values up to the axes' scales."""
    for drawn, values in zip(points.T, (np.array(x, float), np.array(y, float))):
        span = np.ptp(values)
        np.testing.assert_allclose((drawn - drawn.min()) / np.ptp(drawn), (values - values.min()) / span, atol=1e-3)


def test_curves_are_the_records_joined(work, pages):
    first, second = records(work['seg'])
    kept = [record for record in first + second if 'iter' in record]
    del kept[2]  # done again
    assert [record['iter'] for record in kept] == [1, 2, 3, 4]
    names = ['loss'] + sorted(key for key in kept[0] if 'loss' in key and key != 'loss')
    losses = pages['seg'].table('Logged')
    assert sorted(losses) == sorted(names) and len(names) == 3
    for name, points in zip(losses, pages['seg'].curves('Losses')):
        values = [record[name] for record in kept]
        same_shape(points, [1, 2, 3, 4], values)
        expected = dict(First=values[0], Lowest=min(values), Highest=max(values), Last=values[-1])
        assert {key: float(value) for key, value in losses[name].items()} == pytest.approx(expected, rel=1e-5)
    same_shape(pages['seg'].curves('Learning rate')[0], [1, 2, 3, 4], [record['lr'] for record in kept])
    same_shape(pages['seg'].curves('Throughput')[0], [1, 2, 3, 4], [1 / record['time'] for record in kept])
    median = float(re.search(r'Median ([\d.e-]+) s an iteration', pages['seg'].source)[1])
    assert median == pytest.approx(np.median([record['time'] for record in kept]), rel=6e-3)
    assert 'did some again: 1 records that it replaced are not shown.' in ' '.join(pages['seg'].notes)


def test_scores_are_those_of_the_validations(work, pages):
    val = [record for run in records(work['seg']) for record in run if 'mIoU' in record]
    assert [record['step'] for record in val] == [2, 4]
    table = pages['seg'].table('Validation')
    assert list(table)[0] == 'mIoU' and set(table) == {'mIoU', 'aAcc', 'mAcc'}
    for name, row in table.items():
        values = [record[name] for record in val]
        best = int(np.argmax(values))
        assert float(row['Best']) == pytest.approx(values[best], rel=1e-5)
        assert float(row['Last']) == pytest.approx(values[-1], rel=1e-5)
    rows = next(table for table in pages['seg'].tables if table[0][0] == 'Validation')
    assert rows[0] == ['Validation', 'Best', 'at iteration', 'Last', 'at iteration'] and rows[1][4] == '4'
    test, = work['seg'].glob('*/*.json')
    scores = json.loads(test.read_text())
    assert {name: float(row['Score']) for name, row in pages['seg'].table('Test').items()} == pytest.approx(
        {name: scores[name] for name in ('aAcc', 'mIoU', 'mAcc')}, rel=1e-5)


def test_classes(work, pages):
    """The means of the table's columns are the scores that the metric returned."""
    table = pages['seg'].table('Class')
    assert list(table) == ['background', 'person']
    test = json.loads(next(work['seg'].glob('*/*.json')).read_text())
    for column, score in (('IoU', 'mIoU'), ('Acc', 'mAcc')):
        values = [float(row[column]) for row in table.values()]
        assert np.nanmean(values) == pytest.approx(test[score], abs=0.011)
    widths = [float(width) for width in re.findall(r'<span style="width: ([\d.]+)%">', pages['seg'].source)][:2]
    assert widths == pytest.approx([float(row['IoU']) for row in table.values()], abs=0.051)


def test_runs_and_how_they_ended(work, pages):
    first, second, test = sorted(path.name for path in work['seg'].glob('2*'))
    runs = pages['seg'].table('Run')
    assert runs[first]['What'] == 'training' and runs[first]['Iterations'] == '1 to 3'
    assert runs[second]['What'] == 'training, resumed after iteration 2' and runs[second]['Loaded'] == 'iter_2.pth'
    assert runs[test]['What'] == 'test' and runs[test]['Loaded'] == 'iter_4.pth'
    assert pages['seg'].source.count(f'{second} resumed') >= 4  # in each picture
    assert 'Finished all 4 iterations.' in pages['seg'].notes
    assert pages['interrupted'].notes[0].startswith(
        'The last that was logged is iteration 3 of 4 iterations. Its log does not say why')


def test_whole_and_alone(work, pages):
    """The config, the environment, the weights and the pictures are in the page, and nothing is outside of it."""
    page = pages['seg']
    newest = sorted(work['seg'].glob('*/vis_data/scalars.json'))[-1].parent
    assert page.pre[0].strip() == (newest / 'config.py').read_text().strip()
    assert 'PyTorch: ' in page.pre[1] and 'GPU number: 1' in page.pre[1]
    weights = page.table('Checkpoint')
    assert set(weights) == {path.name for path in work['seg'].glob('*.pth')}
    assert [name for name, row in weights.items() if 'last' in row['Which is']] == ['iter_4.pth']
    assert weights['iter_4.pth']['Size'] == f'{(work["seg"] / "iter_4.pth").stat().st_size / 1e6:.1f} MB'
    pictures = [address for address in page.addresses if address.startswith('data:image/jpeg;base64,')]
    found = sorted(work['seg'].rglob('*.png'))
    assert len(found) == 3 and len(pictures) == 2
    for address, path in zip(pictures, (found[0], found[-1])):
        small = cv2.imdecode(np.frombuffer(base64.b64decode(address.split(',')[1]), np.uint8), cv2.IMREAD_COLOR)
        assert np.abs(small.astype(float) - cv2.imread(str(path))).mean() < 6  # JPEG
    assert all(address.startswith(('data:', '#')) for address in page.addresses)
    assert not re.search(r'<script|<iframe|@import|url\((?!#)', page.source)


def edited(work, tmp_path, change):
    folder = tmp_path / 'work'
    shutil.copytree(work['interrupted'], folder)
    run, = folder.glob('2*')
    change(folder, run)
    done = report(str(folder), str(tmp_path / 'page.html'))
    return Page(done.path), done


def remove(*paths):
    for path in paths:
        path.unlink()


def cut(path):
    path.write_text(path.read_text()[:-30])


@pytest.mark.parametrize('change, sentence', [
    (lambda folder, run: shutil.rmtree(run / 'vis_data'), 'scalars.json is missing: losses and scores are not known'),
    (lambda folder, run: remove(*run.glob('*.log')), '.log is missing: the duration, the environment and the classes'),
    (lambda folder, run: remove(run / 'vis_data/config.py', *run.glob('*.log')), 'Its config is neither in'),
    (lambda folder, run: (run / 'vis_data/config.py').write_text('a = ('), 'Its config cannot be read (SyntaxError'),
    (lambda folder, run: cut(run / 'vis_data/scalars.json'), '1 of the lines in scalars.json cannot be read'),
    (lambda folder, run: remove(*folder.glob('*.pth')), 'There is no checkpoint (*.pth) in this folder'),
    (lambda folder, run: remove(folder / 'iter_2.pth'), 'last_checkpoint names iter_2.pth, which is not in this'),
    (lambda folder, run: remove(folder / 'last_checkpoint'), 'There is no last_checkpoint in this folder'),
    (lambda folder, run: None, 'There are no pictures in this folder. mim test … --show-dir draws some'),
    (lambda folder, run: None, 'There is no test in this folder'),
    (lambda folder, run: None, 'There was one validation, so there is no curve of scores'),
    (lambda folder, run: None, 'Memory: mmengine logs it on GPUs only'),
    (lambda folder, run: (folder / 'a.png').write_text('no picture'), 'Not readable as pictures: a.png'),
])
def test_what_is_missing_is_said(work, tmp_path, change, sentence):
    page, done = edited(work, tmp_path, change)
    assert any(sentence in note for note in page.notes), page.notes
    assert any(sentence in note for note in done.notes)


def test_a_config_cannot_write_into_the_page(work, tmp_path):
    page, _ = edited(work, tmp_path, lambda folder, run: (run / 'vis_data/config.py').write_text(
        "default_scope = '<script>alert(1)</script>'\n"))
    assert '<script' not in page.source and '<script>alert(1)</script>' in page.pre[0]


def test_a_training_that_resumed_nothing_stands_alone(work, tmp_path):
    def change(folder, run):
        again = folder / '29990101_120000'
        shutil.copytree(run, again)
        (again / f'{run.name}.log').rename(again / f'{again.name}.log')
    page, done = edited(work, tmp_path, change)
    old, new = page.table('Run')
    assert f'Below is the newest training alone. Not of it, since it did not resume them: {old}.' in page.notes
    assert new == '29990101_120000' and len(page.curves('Losses')[0]) == 3 and done.runs == 2


def test_runs_are_joined_without_their_logs(work, tmp_path):
    folder = tmp_path / 'seg'
    shutil.copytree(work['seg'], folder)
    remove(*folder.glob('*/*.log'))
    report(str(folder), str(tmp_path / 'page.html'))
    page = Page(tmp_path / 'page.html')
    same_shape(page.curves('Learning rate')[0], [1, 2, 3, 4],
               [record['lr'] for run, last in zip(records(folder), (2, 4)) for record in run
                if record.get('iter', 9) <= last])
    assert sum('.log is missing' in note for note in page.notes) == 3


@pytest.fixture
def small_training():
    """The module of the hooks' tests, imported once: it registers its classes."""
    sys.path.insert(0, str(Path(__file__).parents[1] / 'hooks'))
    import small_training
    sys.path.pop(0)
    return small_training


def test_epochs(small_training, tmp_path):
    small_training.runner(tmp_path / 'work', 2, by_epoch=True, validate=True).train()
    report(str(tmp_path / 'work'), str(tmp_path / 'page.html'))
    page = Page(tmp_path / 'page.html')
    logged, = records(tmp_path / 'work')
    scores = [record['score'] for record in logged if 'score' in record]
    assert len(scores) == 2
    rows = next(table for table in page.tables if table[0][0] == 'Validation')
    assert rows == [['Validation', 'Best', 'at epoch', 'Last', 'at epoch'],
                    ['score', f'{max(scores):g}', '2', f'{scores[-1]:g}', '2']]
    same_shape(page.curves('score')[0], [1, 2], scores)
    same_shape(page.curves('Losses')[0], range(1, 9), [record['loss'] for record in logged if 'loss' in record])
    assert 'Finished all 2 epochs.' in page.notes


def test_stopped_early(small_training, tmp_path):
    """By a hook that waits for a score to fall, and it rises."""
    hooks = [dict(type='EarlyStoppingHook', monitor='score', rule='less', patience=1)]
    small_training.runner(tmp_path / 'work', 6, validate=True, custom_hooks=hooks).train()
    report(str(tmp_path / 'work'), str(tmp_path / 'page.html'))
    page = Page(tmp_path / 'page.html')
    assert page.notes[0].startswith('Stopped early, as its EarlyStoppingHook was told: the monitored metric did not')
    assert len(page.curves('Losses')[0]) < 6


def test_not_finite(small_training, tmp_path):
    """The hook's reason is in the log, and from there in the page."""
    with pytest.raises(FloatingPointError):
        small_training.runner(tmp_path / 'work', 6, model=dict(broken_at=3), validate=True).train()
    done = report(str(tmp_path / 'work'), str(tmp_path / 'page.html'))
    page = Page(done.path)
    assert page.notes[0].startswith('Stopped: iteration 3: loss_b is nan. The batch: picture_')
    assert '<b class="bad">NaN</b>' in page.source
    # The validations' step is the epoch, which stays 0: they are where the training was.
    assert page.table('Validation')['score'] == {'Best': '1', 'at iteration': '2', 'Last': '1'}


def test_values_that_are_no_numbers(work, tmp_path):
    """Without the hook a NaN is logged: the curve has a gap, and the page says where."""
    def change(folder, run):
        path = run / 'vis_data/scalars.json'
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        lines[1]['loss'] = math.nan
        path.write_text(''.join(json.dumps(line) + '\n' for line in lines))
    page, _ = edited(work, tmp_path, change)
    assert page.notes[0] == 'The loss is not a finite number at iteration 2, the first of those logged.'
    assert 'Gaps are values that are no finite numbers.' in page.source


@pytest.mark.parametrize('name, message', [
    ('none', 'there is no folder .*none: give the --work-dir'),
    ('empty', 'empty is no work folder of mmengine'),
    ('seg/RUN', 'is the folder of one run: give the work folder that it is in, .*seg$'),
    ('.', r'is no work folder of mmengine .* there are some in it: .*interrupted'),
])
def test_another_folder(work, tmp_path, name, message):
    root = work['seg'].parent
    (tmp_path / 'empty').mkdir()
    run = sorted(path.name for path in work['seg'].glob('2*'))[0]
    folder = tmp_path / name if name in ('none', 'empty') else root / name.replace('RUN', run)
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        report(str(folder), str(tmp_path / 'page.html'))
    assert not (tmp_path / 'page.html').exists()


def test_command(work, tmp_path):
    pictures = tmp_path / 'pictures'
    pictures.mkdir()
    cv2.imwrite(str(pictures / 'big.png'), np.full((1500, 3000, 3), 128, np.uint8))
    output = tmp_path / 'page.html'
    command = ['report', str(work['interrupted']), '-o', str(output), '--pictures', str(pictures)]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    assert result.output.endswith(f'Wrote {output}, {output.stat().st_size / 1000:.0f} kB; runs in the folder: 1.\n')
    assert re.search('<img src="data:image/jpeg;base64,[^"]+" width="960" height="480"', output.read_text())
    for folder, message in ((tmp_path / 'none', 'there is no folder'), (pictures, 'is no work folder')):
        result = CliRunner().invoke(main, ['report', str(folder)])
        assert result.exit_code == 1 and message in result.output and 'Traceback' not in result.output
    result = CliRunner().invoke(main, [*command[:3], str(tmp_path / 'none/page.html')])
    assert result.exit_code == 1 and 'choose another with --output' in result.output


def test_tables_of_the_libraries():
    """mmdet's, of parts of one; and a table that is none of classes."""
    table = read_table('\n+----------+-------+------+\n| category | mAP   | mAP_50 |\n| person   | 0.5 | nan |\n')
    assert table.columns == ('mAP', 'mAP_50') and table.rows[0][0] == 'person' and table.rows[0][1][0] == 0.5
    assert math.isnan(table.rows[0][1][1]) and not table.percent
    assert read_table('+--+--+\n| name | value |\n| a | 1 |\n') is None


def test_running_mean():
    curve = Curve('a', tuple(range(10)), tuple(float(x ** 2) for x in range(10)))
    x, y = running_mean(curve, 3)
    np.testing.assert_allclose(x, range(1, 9))
    np.testing.assert_allclose(y, [((a - 1) ** 2 + a ** 2 + (a + 1) ** 2) / 3 for a in range(1, 9)])


def test_plots_take_their_colours_from_the_page():
    svg = plot([Curve('a', (1, 2), (1.0, 100.0)), Curve('b', (1, 2), (2.0, 3.0))], 'x', 'y', 'two', scale='log')
    assert 'var(--series-0)' in svg and 'var(--series-1)' in svg and 'var(--ink)' in svg
    assert not re.search(r'(fill|stroke): #(?!none)', svg)
    assert len(set(re.findall(r'id="([^"]+)"', svg))) == len(re.findall(r'id="([^"]+)"', svg))
