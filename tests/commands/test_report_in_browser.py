"""The page as a browser shows it: whole, readable in light and dark, on narrow screens, and without any network."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from hrformer_mm.commands.report import report

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which('google-chrome')
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason='needs Chromium: apt-get install chromium')]

OPTIONS = ('--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
           '--disable-background-networking', '--disable-component-update', '--hide-scrollbars',
           '--enable-logging=stderr', '--host-resolver-rules=MAP * ~NOTFOUND')
# Put into a copy of the page, whose policy refuses scripts: what the browser made of it.
SCRIPT = '''<script>
const seen = {refused: []};
addEventListener('securitypolicyviolation', event => seen.refused.push(event.blockedURI));
addEventListener('load', () => {
  const style = getComputedStyle(document.body);
  seen.pictures = [...document.images].map(image => [image.complete, image.naturalWidth, image.naturalHeight]);
  seen.drawings = [...document.querySelectorAll('svg')].map(svg => {
    const box = svg.getBoundingClientRect();
    return [box.width, box.height, svg.querySelectorAll('[class^=curve]').length];
  });
  seen.stroke = getComputedStyle(document.querySelector('.curve-0 path')).stroke;
  seen.colours = [style.color, style.backgroundColor];
  seen.fetched = performance.getEntriesByType('resource').map(entry => entry.name);
  seen.widths = [document.documentElement.scrollWidth, innerWidth];
  const ids = [...document.querySelectorAll('[id]')].map(element => element.id);
  seen.twice = ids.filter((id, at) => ids.indexOf(id) < at);
  const result = document.createElement('p');
  result.id = 'seen';
  result.textContent = JSON.stringify(seen);
  document.body.append(result);
});
</script>'''


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """Of a real training of seconds, with pictures."""
    sys.path.insert(0, str(Path(__file__).parents[1] / 'hooks'))
    import small_training
    sys.path.pop(0)
    folder = tmp_path_factory.mktemp('browser')
    small_training.runner(folder / 'work', 6, validate=True).train()
    generator = np.random.default_rng(0)
    for number in range(3):
        picture = np.kron(generator.integers(0, 255, (12, 16, 3)), np.ones((100, 100, 1)))
        cv2.imwrite(str(folder / 'work' / f'{number}.png'), picture)
    done = report(str(folder / 'work'), str(folder / 'page.html'), images=3)
    return Path(done.path)


def open_page(path, tmp_path, *options):
    """What the browser printed, and its messages of the page's console."""
    command = [CHROMIUM, *OPTIONS, f'--user-data-dir={tmp_path / "profile"}', *options, path.as_uri()]
    env = {name: value for name, value in os.environ.items() if not name.lower().endswith('_proxy')}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=env)
    assert done.returncode == 0, done.stderr
    return done.stdout, [line for line in done.stderr.splitlines() if ':CONSOLE' in line]


def look(page, tmp_path, *options, add=''):
    copy = tmp_path / 'copy.html'
    policy = "style-src 'unsafe-inline'"
    source = page.read_text(encoding='utf-8')
    assert source.count(policy) == 1
    source = source.replace(policy, f"{policy}; script-src 'unsafe-inline'")
    source = source.replace('<style>', f'{SCRIPT}<style>', 1).replace('<main>', f'<main>{add}', 1)
    copy.write_text(source, encoding='utf-8')
    dom, _ = open_page(copy, tmp_path, '--dump-dom', *options)
    return json.loads(re.search(r'<p id="seen">(.*?)</p>', dom, re.DOTALL)[1])


def test_everything_is_there_and_nothing_is_fetched(page, tmp_path):
    dom, console = open_page(page, tmp_path, '--dump-dom')
    assert console == [] and '</footer>' in dom
    seen = look(page, tmp_path, '--window-size=1000,800')
    assert seen['pictures'] == [[True, 960, 720]] * 3
    assert len(seen['drawings']) == 4  # score, losses, learning rate, throughput
    assert all(width > 800 and height > 200 and curves for width, height, curves in seen['drawings'])
    assert seen['fetched'] == [] and seen['refused'] == [] and seen['twice'] == []


def test_the_checks_can_fail(page, tmp_path):
    """What is broken or outside of the page is seen by the checks above."""
    address = 'http://127.0.0.1:9/x.png'
    seen = look(page, tmp_path, add=f'<img src="{address}"><img src="data:image/jpeg;base64,AAAA">')
    assert seen['refused'] == [address] and [width for _, width, _ in seen['pictures']] == [0, 0, 960, 960, 960]
    copy = tmp_path / 'other.html'
    source = page.read_text(encoding='utf-8').replace('<main>', f'<main><img src="{address}">')
    copy.write_text(source, encoding='utf-8')
    assert address in ' '.join(open_page(copy, tmp_path, '--dump-dom')[1])


def test_dark(page, tmp_path):
    light, dark = (look(page, tmp_path, f'--blink-settings=preferredColorScheme={scheme}') for scheme in (1, 0))
    assert light['colours'] == ['rgb(28, 32, 36)', 'rgb(255, 255, 255)']
    assert dark['colours'] == ['rgb(230, 233, 236)', 'rgb(21, 24, 28)']
    assert light['stroke'] != dark['stroke']  # the curves' too


def test_narrow(page, tmp_path):
    """Nothing is wider than a telephone's screen: wide tables and the config scroll by themselves."""
    seen = look(page, tmp_path, '--window-size=500,900')
    assert seen['widths'][0] <= seen['widths'][1]


def test_screenshot(page, tmp_path):
    """Paper, ink and the colours of the curves are on the screen."""
    open_page(page, tmp_path, f'--screenshot={tmp_path / "page.png"}', '--window-size=1000,3000',
              '--blink-settings=preferredColorScheme=1')
    picture = cv2.imread(str(tmp_path / 'page.png'))
    assert picture.shape == (3000, 1000, 3)
    for colour, least in (((255, 255, 255), 10 ** 6), ((36, 32, 28), 500), ((177, 103, 0), 200)):
        assert (picture == colour).all(2).sum() > least, colour
