"""Downloads from a local server, which may send incomplete or damaged files."""

import hashlib
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from hrformer_mm.weights import fetch, read_tensors, write_tensors
from hrformer_mm.weights.files import TEMPORARY

STATE = {'a.weight': torch.randn(30, 20)}


class Server(ThreadingHTTPServer):
    """Serves `files` by path with `promised` as Content-Length, and counts requests."""

    files, promised, asked = {}, None, 0

    def address(self, path):
        return f'http://127.0.0.1:{self.server_port}/{path}'


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked += 1
        content = self.server.files.get(self.path.lstrip('/'))
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header('Content-Length', str(self.server.promised or len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    write_tensors(STATE, tmp_path / 'a.pth')
    with Server(('127.0.0.1', 0), Handler) as running:
        running.files = {'a.pth': (tmp_path / 'a.pth').read_bytes()}
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def kept(tmp_path):
    return [path for path in (tmp_path / 'hub').rglob('*') if path.is_file() and path.suffix != '.lock']


def digest(content):
    return hashlib.sha256(content).hexdigest()


def test_file_is_downloaded_once(server, tmp_path):
    assert torch.equal(read_tensors(server.address('a.pth'))['a.weight'], STATE['a.weight'])
    read_tensors(server.address('a.pth'))
    assert server.asked == 1 and len(kept(tmp_path)) == 1


@pytest.mark.parametrize('digits', [8, 64])
def test_checksum_of_the_address(server, tmp_path, digits):
    right = digest(server.files['a.pth'])[:digits]
    assert fetch(f'{server.address("a.pth")}#sha256={right}').is_file()
    wrong = ('0' if right[0] != '0' else '1') + right[1:]
    with pytest.raises(ValueError, match=f'should begin with {wrong}'):
        fetch(f'{server.address("a.pth")}#sha256={wrong}')


def test_file_with_wrong_checksum_is_deleted(server, tmp_path):
    with pytest.raises(ValueError, match='should begin with 00000000'):
        fetch(server.address('a.pth') + '#sha256=00000000')
    assert kept(tmp_path) == []


@pytest.mark.parametrize(
    'name, checksum',
    [
        ('hrformer-0123abcd.pth', True),
        ('hrformer-0123abcd_20220226.pth', True),
        ('hrformer-09516375_20220226.pth', True),
        ('model-20220226.pth', False),
        ('checkpoint-00040000.pth', False),
        ('model-09516375.pth', False),
        ('0123abcd.pth', False),
    ],
)
def test_checksum_of_the_name(server, name, checksum):
    server.files[name] = server.files['a.pth']
    if checksum:
        with pytest.raises(ValueError, match=f'should begin with {re.search("-(.{8})", name)[1]}'):
            fetch(server.address(name))
        name = name.replace(re.search('-(.{8})', name)[1], digest(server.files['a.pth'])[:8])
        server.files[name] = server.files['a.pth']
    assert fetch(server.address(name)).read_bytes() == server.files['a.pth']


@pytest.mark.parametrize('fragment', ['sha256=xyz', 'md5=00000000', 'sha256=1234'])
def test_invalid_checksums(server, fragment):
    with pytest.raises(ValueError, match='must be sha256= and 8 to 64'):
        fetch(f'{server.address("a.pth")}#{fragment}')
    assert server.asked == 0


def test_interrupted_connection(server, tmp_path):
    """The file has the format before PyTorch 1.6, without checksums."""
    torch.save(STATE, tmp_path / 'old.pth', _use_new_zipfile_serialization=False)
    content = (tmp_path / 'old.pth').read_bytes()
    server.files['old.pth'], server.promised = content[:-100], len(content)
    with pytest.raises(ValueError, match=f'{len(content) - 100:,} of {len(content):,} bytes were received'):
        fetch(server.address('old.pth'))
    assert kept(tmp_path) == []
    server.files['old.pth'] = content
    assert read_tensors(server.address('old.pth')).keys() == STATE.keys()


def test_damaged_file_is_downloaded_again(server):
    path = fetch(server.address('a.pth'))
    whole = path.read_bytes()
    path.write_bytes(whole[:-200])
    Path(path.parent, TEMPORARY + 'a.pth').write_bytes(b'of a download that was killed')
    assert fetch(server.address('a.pth')).read_bytes() == whole
    assert server.asked == 2 and not Path(path.parent, TEMPORARY + 'a.pth').exists()


def test_equal_names_of_two_addresses(server):
    server.files['other/a.pth'] = server.files['a.pth']
    assert fetch(server.address('a.pth')) != fetch(server.address('other/a.pth'))


def test_missing(server, tmp_path):
    with pytest.raises(OSError, match='none.pth was not fetched .*404'):
        read_tensors(server.address('none.pth'))
    assert kept(tmp_path) == []


def test_concurrent_processes(server, tmp_path):
    found = []
    threads = [threading.Thread(target=lambda: found.append(fetch(server.address('a.pth')))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and len(found) == 6 and server.asked == 1
