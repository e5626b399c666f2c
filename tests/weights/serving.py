"""Micro checkpoints with the names and layouts of the released ones, and a server that provides or damages them."""

import hashlib
import io
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import torch
import yaml

from hrformer_mm import released
from hrformer_mm.models import HRFormer

ARCH = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 64, 78), num_heads=(1, 2, 2, 2), num_blocks=1)
BACKBONE, POSE, LINK = 'hrformer-s_imagenet-backbone', 'td-hm_hrformer-s_coco-256x192', 'hrformer-t_imagenet'
HTML = b'<!DOCTYPE html>\n<html><body>Sign in to the network</body></html>'


def states():
    """The backbone as OpenMMLab's pretrain_models have it, and a whole pose model as mmpose 0.x saved it."""
    torch.manual_seed(1)
    backbone = HRFormer(ARCH, out_indices=(0,)).state_dict()
    backbone = {
        name: torch.randn_like(value) if value.is_floating_point() and 'running_var' not in name else value
        for name, value in backbone.items()
    }
    pose = {f'backbone.{name}': value for name, value in backbone.items()}
    pose.update(
        {
            'keypoint_head.final_layer.weight': torch.randn(17, 18, 1, 1),
            'keypoint_head.final_layer.bias': torch.randn(17),
        }
    )
    return {BACKBONE: backbone, POSE: pose}


class Server(ThreadingHTTPServer):
    """`files` by path; `mode` is what it does: 'whole', 'short', 'chunked', 'html', 'error'; `asked` counts."""

    mode, asked = 'whole', 0

    def address(self, path):
        return f'http://127.0.0.1:{self.server_port}/{path}'


class Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        server = self.server
        server.asked += 1
        self.close_connection = True
        content = server.files.get(self.path.lstrip('/'))
        if content is None or server.mode == 'error':
            self.send_error(404 if content is None else 503)
            return
        content = HTML if server.mode == 'html' else content
        self.send_response(200)
        if server.mode == 'chunked':  # breaks off in the middle
            self.send_header('Transfer-Encoding', 'chunked')
        else:
            self.send_header('Content-Length', str(len(content)))
        self.end_headers()
        if server.mode == 'chunked':
            self.wfile.write(b'%x\r\n' % len(content) + content[: len(content) // 2])
        else:
            self.wfile.write(content[: len(content) // 2] if server.mode == 'short' else content)

    def log_message(self, *args):
        pass


@contextmanager
def serve(folder, monkeypatch):
    """Run a server, with a table of released weights at its addresses and a cache below `folder`."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(folder / 'hub'))
    with Server(('127.0.0.1', 0), Handler) as server:
        server.files, rows = {}, []
        for name, state in states().items():
            buffer = io.BytesIO()
            torch.save(dict(meta=dict(epoch=210), state_dict=state), buffer)
            digits = hashlib.sha256(buffer.getvalue()).hexdigest()[:8]
            path = f'mmpose/{"pretrain_models/hrformer_small" if name == BACKBONE else "hrformer_small_coco_256x192"}'
            path += f'-{digits}_20220226.pth'
            server.files[path] = buffer.getvalue()
            rows.append(
                dict(
                    name=name,
                    address=server.address(path),
                    sha256=digits,
                    publisher='p',
                    licence='l',
                    configs=[name],
                    **(dict(part='backbone') if name == BACKBONE else {}),
                )
            )
        rows.append(dict(name=LINK, link='https://example.com/x', publisher='p', licence='l', configs=[LINK]))
        (folder / 'released.yml').write_text(yaml.safe_dump(rows))
        monkeypatch.setattr(released, 'TABLE', folder / 'released.yml')
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def kept(folder):
    """Return the files in the cache, without locks."""
    return [path for path in (folder / 'hub').rglob('*') if path.is_file() and path.suffix != '.lock']
