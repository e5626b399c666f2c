import torch
import torch.nn.functional as F

from hrformer_mm.layers import HRFormerBlock


def block(drop_path=0.0):
    return HRFormerBlock(12, 2, (3, 3), 4, drop_path, dict(type='BN'))


def test_equals_the_formula():
    """The block is x + attention(LN(x)), then x + FFN(LN(x)). The FFN has three norms and three GELUs (section 3.1)."""
    b = block().eval()
    for name, buffer in b.ffn.named_buffers():
        if 'running' in name:
            buffer.uniform_(0.5, 1.5)
    x = torch.randn(2, 12, 7, 5)
    y = x.permute(0, 2, 3, 1)
    y = y + b.attn(F.layer_norm(y, (12,), b.norm1.weight, b.norm1.bias, 1e-6))
    z = F.layer_norm(y, (12,), b.norm2.weight, b.norm2.bias, 1e-6).permute(0, 3, 1, 2)
    for conv, norm in ((b.ffn.fc1, b.ffn.norm1), (b.ffn.dw3x3, b.ffn.norm2), (b.ffn.fc2, b.ffn.norm3)):
        z = F.conv2d(z, conv.weight, conv.bias, padding=conv.padding, groups=conv.groups)
        z = (z - norm.running_mean.view(-1, 1, 1)) / (norm.running_var.view(-1, 1, 1) + norm.eps).sqrt()
        z = F.gelu(z * norm.weight.view(-1, 1, 1) + norm.bias.view(-1, 1, 1))
    assert torch.allclose(b(x), y.permute(0, 3, 1, 2) + z, atol=1e-5)


def test_ffn_without_its_depthwise_convolution():
    """The FFN is two 1x1 convolutions, each with a norm and a GELU."""
    b = HRFormerBlock(12, 2, (3, 3), 4, 0.0, dict(type='BN'), with_dwconv=False).eval()
    assert {name.split('.')[0] for name in b.ffn.state_dict()} == {'fc1', 'norm1', 'fc2', 'norm3'}
    x = z = torch.randn(2, 12, 7, 5)
    for conv, norm in ((b.ffn.fc1, b.ffn.norm1), (b.ffn.fc2, b.ffn.norm3)):
        norm.running_mean.uniform_(-1, 1)
        norm.running_var.uniform_(0.5, 1.5)
        z = F.gelu(norm(F.conv2d(z, conv.weight, conv.bias)))
    assert torch.allclose(b.ffn(x), z, atol=1e-6)


def test_drop_path_drops_whole_samples_and_scales_the_others():
    b = block(0.5).train()
    b.attn.attn.proj.weight.data.zero_()
    b.attn.attn.proj.bias.data.fill_(1)
    b.ffn.norm3.weight.data.zero_()
    b.ffn.norm3.bias.data.fill_(1)
    branch = F.gelu(torch.ones(()))
    added = b(torch.zeros(400, 12, 2, 2))
    assert (added == added[:, :1, :1, :1]).all()
    values = {round(v, 4) for v in added[:, 0, 0, 0].tolist()}
    assert values == {round(float(a + f), 4) for a in (0, 2) for f in (0, 2 * branch)}
    assert 0.35 < (added[:, 0, 0, 0] >= 2).float().mean() < 0.65
