"""Expressions and short programs that have the same value under PyTorch and slopes.torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

EXPRESSIONS = """
a.sum()
a.sum(dim=0)
a.sum(1, keepdim=True)
a.sum(axis=(0, 1), keepdims=True)
torch.sum(k)
(a > 0).sum()
a.mean(dim=(0, 1))
torch.mean(a)
k.float().mean()
a.prod()
torch.prod(a, 1, keepdim=True)
a.var()
a.var(dim=1)
a.var(1, unbiased=False)
a.std(dim=0, keepdim=True)
torch.std(a, unbiased=False)
torch.var(a, dim=1, correction=0)
a.max()
a.max(dim=1)
torch.max(a, 0)
torch.max(a, b)
a.max(1, keepdim=True)[0]
a.max(dim=1).values
a.max(dim=1).indices
a.min(dim=0)
torch.min(a, b)
torch.min(a)
a.amax(dim=(0, 1))
a.amin(1)
a.argmax()
a.argmax(dim=1, keepdim=True)
a.argmin(0)
(a > 0).all()
(a > 0).any(dim=1)
torch.all(a > -9)
torch.any(a > 9, dim=0)
a.logsumexp(dim=1)
a.norm()
a.norm(1, dim=1)
torch.norm(a, dim=0, keepdim=True)
a.cumsum(dim=1)
a.cumprod(0)
a.topk(2)
a.topk(2, dim=0, largest=False).indices
a.sort(dim=1, descending=True)
torch.sort(a)[1]
torch.argsort(a, dim=1)
a.reshape(2, -1)
torch.reshape(a, (4, 3))
a.view(-1)
a.view(4, 3)
a.view_as(a.t())
a.flatten()
c.flatten(1)
torch.flatten(c, start_dim=0, end_dim=1)
a.unflatten(1, (2, 2))
c.permute(2, 0, 1)
c.permute((1, 0, 2))
torch.permute(c, (0, 2, 1))
c.transpose(1, 2)
c.transpose(-2, -1)
c.swapaxes(0, 1)
a.t()
a.T
c.mT
torch.movedim(c, 0, 2)
a.unsqueeze(0)
a.unsqueeze(-1)
a.unsqueeze(0).squeeze()
a.unsqueeze(0).squeeze(0)
a.squeeze(0)
a[0].expand(2, -1)
a[0].unsqueeze(0).expand(2, 4)
a[0].expand_as(a)
a.repeat(2, 1)
a.repeat(2, 1, 2)
torch.tile(a, (1, 2))
a.repeat_interleave(2, dim=1)
torch.cat([a, b], dim=1)
torch.cat((a, b))
torch.concat([a, b])
torch.concatenate([a, b], axis=1)
torch.stack([a, b], dim=2)
torch.hstack([a, b])
torch.vstack([a[0], b[0]])
a.split(3, dim=1)
torch.split(a, [1, 3], 1)
a.chunk(2, dim=1)
torch.chunk(a, 3, 1)
a.unbind()
torch.unbind(a, dim=1)
a.narrow(1, 1, 2)
a.flip(0)
torch.flip(a, [0, 1])
torch.roll(a, 1, 1)
a.tril()
torch.triu(a, diagonal=1)
c[:, :, :3].diagonal(dim1=1, dim2=2)
torch.meshgrid(torch.arange(2), torch.arange(3), indexing="ij")
torch.where(a > 0, a, b)
torch.where(a > 0, a, 0.0)
a.where(a > 0, b), torch.where(a > 0), (a == b).float(), (k != 2).float(), (k == 2).sum()
torch.FloatTensor([1, 2]), torch.LongTensor([3]), torch.Tensor([1, 2]), torch.Tensor(2, 3).shape, a.size()[1:], torch.Tensor.__name__
a.gather(1, k[:, :2])
torch.gather(a, 0, k[:1] % 2)
a.index_select(1, torch.tensor([0, 2]))
a.masked_fill(a < 0, -1e9)
a.masked_select(a > 0)
torch.nonzero(a > 0)
torch.nonzero(a > 0, as_tuple=True)
torch.bincount(k.flatten(), minlength=6)
torch.add(a, b, alpha=2)
a.sub(b)
torch.subtract(a, 1)
a.div(b)
torch.div(k, 2, rounding_mode="floor")
torch.div(k - 2, 2, rounding_mode="trunc")
torch.divide(a, 2)
torch.true_divide(k, 2)
a.clamp(-0.5, 0.5)
torch.clamp(a, min=0)
a.clip(max=0.1)
torch.addcmul(a, b, b, value=0.5)
torch.addcdiv(a, b, b.abs() + 1, value=2)
torch.lerp(a, b, 0.25)
a.softmax(dim=1)
torch.softmax(a, 0)
a.log_softmax(-1)
torch.equal(a, a)
torch.equal(a, b)
torch.allclose(a, a + 1e-9)
a @ b.t()
torch.matmul(a, b.T)
a.mm(b.t())
torch.bmm(c, c.transpose(1, 2))
torch.mv(a, b[0])
torch.addmm(torch.ones(3), a, b.t(), alpha=0.5)
torch.baddbmm(torch.ones(2, 3, 3), c, c.transpose(1, 2))
torch.dot(a[0], b[0])
torch.einsum("ij,kj->ik", a, b)
torch.tensordot(a, b, dims=([1], [1]))
torch.tensordot(a, b.t(), 1)
torch.abs(a), a.abs(), torch.absolute(a)
torch.exp(a), a.exp(), torch.expm1(a), torch.log(a.abs()), torch.log1p(a.abs()), torch.log2(a.abs()), torch.log10(a.abs())
torch.sin(a), torch.cos(a), torch.tan(a), torch.sinh(a), torch.cosh(a), torch.tanh(a), a.tanh()
torch.asin(a / 9), torch.acos(a / 9), torch.atan(a), torch.arcsin(a / 9), torch.arccos(a / 9), torch.arctan(a)
torch.asinh(a), torch.acosh(a.abs() + 1), torch.atanh(a / 9), torch.atan2(a, b), torch.arctan2(a, b), torch.hypot(a, b)
torch.sqrt(a.abs()), torch.rsqrt(a.abs()), torch.square(a), torch.reciprocal(a), a.pow(2), torch.pow(2.0, a)
torch.floor(a), torch.ceil(a), torch.round(a), torch.trunc(a), torch.sign(a), a.neg(), torch.negative(a)
torch.erf(a), torch.sigmoid(a), torch.relu(a), torch.selu(a)
torch.maximum(a, b), torch.minimum(a, b), torch.copysign(a, b), torch.remainder(a, 0.3), torch.logaddexp(a, b), torch.heaviside(a, b)
torch.eq(k, 2), k.ne(2), k.lt(2), k.le(2), k.gt(2), k.ge(2)
torch.not_equal(k, 2), torch.less(k, 2), torch.less_equal(k, 2), torch.greater(k, 2), torch.greater_equal(k, 2)
torch.logical_and(a > 0, b > 0), torch.logical_or(a > 0, b > 0), torch.logical_xor(a > 0, b > 0), torch.logical_not(a > 0)
torch.bitwise_and(k, 1), torch.bitwise_or(k, 1), torch.bitwise_xor(k, 1), torch.bitwise_not(k), ~(a > 0)
torch.isfinite(a), torch.isnan(a), torch.isinf(a / 0), torch.isclose(a, a), torch.nan_to_num(a / 0)
torch.floor_divide(k, 2), torch.multiply(a, b), a.mul(b), torch.outer(a[0], b[0]), torch.unique(k)
torch.zeros(2, 3), torch.zeros((2, 3)), torch.ones(2, dtype=torch.int64), torch.full((2, 2), 7.0), torch.eye(3), torch.eye(2, 3)
torch.arange(5), torch.arange(1, 5), torch.arange(1, 2, 0.25), torch.linspace(0, 1, 5)
torch.zeros_like(a), torch.ones_like(k), torch.full_like(a, 3), a.new_zeros(2), a.new_ones((2, 1)), a.new_full((2,), 3)
a.new_tensor([1, 2]), k.new_tensor(3)
torch.tensor([1, 2]), torch.tensor([1.5]), torch.tensor(True), torch.as_tensor([1, 2]), torch.tensor([1, 2], dtype=torch.float64)
torch.normal(0.0, 0.0, (2, 2)), torch.randperm(4).sort().values, torch.randint(3, (5,)).shape, torch.randint(1, 2, (3,))
torch.bernoulli(torch.ones(3)), torch.multinomial(torch.tensor([0.0, 0.0, 1.0]), 4, replacement=True)
torch.multinomial(torch.tensor([[0.1, 0.2, 0.7]]), 3).sort().values
torch.rand(2, 3).shape, torch.randn((2, 3)).shape, torch.rand_like(a).shape, torch.randn_like(a).shape, torch.empty(2, 3).shape
a.size(), a.size(0), a.dim(), a.numel(), a.shape, a.ndim, a.is_floating_point(), a.element_size(), len(a)
a.float(), k.double(), a.long(), a.int(), a.to(torch.float64), a.to("cpu"), a.type_as(k), a.bool(), k.to(a), a.byte() * 0, a.short()
a.clone(), a.detach(), a.contiguous(), a.cpu(), a.data, a.numpy(), a.tolist(), a[0, 0].item()
a[0], a[:, 1], a[..., -1], a[:, None].shape, a[[0, 2]], a[torch.tensor([0, 2])], a[a > 0], a[k[0, :2], 1], a[1:, ::2]
a + 1, 1 - a, a * b, a / 2, k / 2, k // 2, k % 2, a ** 2, -a, 2 ** k, k + a
torch.is_tensor(a), isinstance(a, torch.Tensor), a.requires_grad, torch.cuda.is_available(), torch.device("cpu").type
F.relu(a), F.relu(a, inplace=False), F.gelu(a), F.gelu(a, approximate="tanh"), F.leaky_relu(a, 0.1), F.elu(a), F.silu(a), F.selu(a)
F.softplus(a), F.logsigmoid(a), F.softsign(a), F.hardtanh(a), F.hardsigmoid(a), F.hardswish(a), F.mish(a), F.relu6(a), F.celu(a), F.glu(a)
F.sigmoid(a), F.tanh(a), F.hardshrink(a), F.softshrink(a), F.tanhshrink(a), F.threshold(a, 0.1, 20), F.softmin(a, dim=1)
F.softmax(a, dim=1), F.log_softmax(a, dim=0), F.normalize(a), F.normalize(a, p=1.0, dim=0), F.cosine_similarity(a, b), F.one_hot(k)
F.linear(a, b), F.linear(a, b, torch.ones(3)), F.embedding(k, a), F.one_hot(k, num_classes=7), F.dropout(a, 0.5, training=False)
F.layer_norm(a, (4,)), F.layer_norm(a, (4,), a[0], b[0]), F.batch_norm(a, a[0], a[0].abs()), F.batch_norm(a, None, None, training=True)
F.conv2d(i, w), F.conv2d(i, w, None, 2, 1), F.conv_transpose2d(i, w.transpose(0, 1)), F.max_pool2d(i, 2), F.avg_pool2d(i, 2, stride=1)
F.adaptive_avg_pool2d(i, 1), F.adaptive_avg_pool2d(i, (2, 2)), F.adaptive_max_pool2d(i, 2), F.max_pool1d(c, 2), F.avg_pool1d(c, 2)
F.conv1d(c, c[:, :, :2]), F.pad(a, (1, 2)), F.pad(i, (1, 0, 0, 2), value=3.0), F.pad(i, (1, 1, 1, 1), "constant", 0)
F.pixel_shuffle(i.view(1, 4, 3, 6), 2), F.interpolate(i, scale_factor=2), F.interpolate(i, size=(12, 12), mode="nearest")
F.pad(i, (1, 1, 1, 1), mode="reflect"), F.interpolate(i, size=(4, 9), mode="bilinear"), F.unfold(i, 3), F.pixel_unshuffle(i, 2)
F.fold(F.unfold(i, 2, stride=2), (6, 6), 2, stride=2), F.pad(c, (2, 1), mode="circular")
F.scaled_dot_product_attention(c, c, c), F.scaled_dot_product_attention(c, c, c, is_causal=True), nn.PixelShuffle(2)(i.view(1, 4, 3, 6))
F.cross_entropy(a, y), F.cross_entropy(a, y, weight=b[0].abs()), F.cross_entropy(a, y, reduction="none", label_smoothing=0.1)
F.cross_entropy(a, torch.tensor([-100, 1, 2])), F.cross_entropy(a, y, ignore_index=1), F.nll_loss(a, y), F.nll_loss(a, y, reduction="sum")
F.cross_entropy(a, y, None), F.nll_loss(a, y, b[0].abs()), F.cross_entropy(a, torch.softmax(b, 1))
F.mse_loss(a, b), F.mse_loss(a, b, reduction="sum"), F.l1_loss(a, b), F.smooth_l1_loss(a, b), F.huber_loss(a, b, delta=0.5)
F.binary_cross_entropy(a.sigmoid(), b.sigmoid()), F.binary_cross_entropy_with_logits(a, b.sigmoid(), reduction="none")
F.kl_div(a.log_softmax(1), b.softmax(1), reduction="batchmean"), F.poisson_nll_loss(a, b.abs()), F.soft_margin_loss(a, b.sign())
F.hinge_embedding_loss(a, b.sign()), F.multi_margin_loss(a, y), F.gaussian_nll_loss(a, b, b.abs() + 1)
F.margin_ranking_loss(a, b, b.sign())
F.cosine_embedding_loss(a, b, torch.ones(3)), F.triplet_margin_loss(a, b, b.flip(0))
nn.CrossEntropyLoss()(a, y), nn.MSELoss()(a, b), nn.Softmax(dim=1)(a), nn.Flatten()(c), nn.Identity()(a), nn.Upsample(scale_factor=2)(i)
torch.nn.utils.rnn.pad_sequence([a[0], b[0, :2]]), torch.nn.utils.rnn.pad_sequence([a, b[:1]], batch_first=True, padding_value=9.0)
nn.init.calculate_gain("tanh"), nn.init.constant_(nn.Parameter(torch.zeros(2)), 3.0), nn.init.eye_(nn.Parameter(torch.zeros(2, 2)))
""".strip().splitlines()

PROGRAMS = [  # `result` is compared
    "x = torch.zeros(3, 4); x[1] = 2; x[:, 0] += 5; x[x > 6] = -1; x[0, 1:3] = torch.tensor([8., 9.]); result = x",
    "x = torch.zeros(3, 4); row = x[1]; row += 2; view = x.view(-1); view[0] = 7; result = x, row, view",
    "x = torch.zeros(3, 4); t = x.t(); t[0].fill_(3); x.zero_(); result = x, t",
    "x = torch.ones(3); y = x.detach(); y.mul_(4); z = x.clone(); z.zero_(); result = x, y, z",
    "x = torch.ones(3); x.add_(2).sub_(1).div_(4).mul_(3).pow_(2).clamp_(max=2); x.add_(torch.ones(3), alpha=0.5); result = x",
    "x = a.clone(); x.relu_(); x.exp_(); x.masked_fill_(x > 2, 0); x.sqrt_(); x.neg_(); x.abs_(); x.copy_(x.flip(0)); result = x",
    "x = a.clone(); y = x; x -= 1; x *= 2; x /= 3; x **= 2; result = x, y",
    "x = a.clone(); y = x + 0; y[0] = 0; result = x, y",
    "x = torch.zeros(2, 4).scatter_(1, torch.tensor([[1], [3]]), 1.0); result = x",
    "n = np.zeros(3, np.float32); x = torch.from_numpy(n); x += 1; n[0] = 5; result = x, n",
    "w = nn.Parameter(torch.ones(3)); (w * w).sum().backward(); w.data -= 0.5 * w.grad; g = w.grad; w.grad.zero_(); result = w, g",
    "w = torch.ones(3, requires_grad=True); loss = (w ** 3).sum()\nwith torch.no_grad(): w += 1\nresult = w",
    "w = torch.ones(3, requires_grad=True); x = torch.full((3,), 2.); y = (w * x).sum(); y.backward(); x.zero_(); result = w.grad, x",
    "w = torch.ones(2, 2, requires_grad=True); y = w[0] * 2; y = y + w[1]; y += w[0]; y.sum().backward(); result = w.grad",
    "w = torch.tensor([3.], requires_grad=True); total = 0\nfor _ in range(3): total += w * w\ntotal.backward(); result = w.grad, total",
    "w = torch.ones(2, requires_grad=True); v = torch.ones(2, requires_grad=True); y = (w * v * 3).sum(); "
    "result = torch.autograd.grad(y, [w, v]), w.grad is None",
    "w = torch.ones(3, requires_grad=True); y = w * 2; z = y.detach(); z.zero_(); result = w, z",
    "x = torch.ones(2, requires_grad=True); x.max(dim=0).values.backward(); result = x.grad",
    "x = torch.ones(2, 3, requires_grad=True); (x.norm() + x.std()).backward(); result = x.grad",
    "net = nn.Linear(2, 2); net.weight.data.fill_(0.5); net.bias.data = torch.tensor([1., 2.]); result = net(torch.ones(1, 2))",
    "net = nn.Linear(2, 2)\nwith torch.no_grad():\n    net.weight.fill_(1); net.weight[0].mul_(3); net.bias.zero_()\n"
    "result = net(torch.ones(1, 2))",
    "net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())\nnet.load_state_dict({'0.weight': torch.eye(2), '0.bias': torch.zeros(2)})\n"
    "result = net(a[:, :2]), list(net.state_dict()), [n for n, _ in net.named_parameters()], len(list(net.parameters()))",
    "p = nn.Parameter(torch.ones(2)); o = torch.optim.SGD([p], lr=0.1, momentum=0.9)\n"
    "s = torch.optim.lr_scheduler.MultiStepLR(o, [1, 2], gamma=0.5); rates = []\nfor _ in range(4):\n"
    "    o.zero_grad(); (p * p).sum().backward(); o.step(); s.step(); rates.append(s.get_last_lr()[0])\nresult = p, rates",
    "L = torch.optim.lr_scheduler; rates = []\n"
    "for kind, options in ((L.StepLR, [2, 0.5]), (L.ExponentialLR, [0.9]), (L.LambdaLR, [lambda e: 1 / (e + 1)]), (L.LinearLR, []),\n"
    "    (L.ConstantLR, [0.5, 2]), (L.PolynomialLR, [4, 2.0]), (L.CosineAnnealingWarmRestarts, [2, 2, 0.01])):\n"
    "    p = nn.Parameter(torch.ones(2)); o = torch.optim.Adam([{'params': [p], 'lr': 0.5}], lr=0.1); s = kind(o, *options)\n"
    "    for _ in range(3): p.grad = torch.ones(2); o.step(); s.step()\n"
    "    rates += [p, o.param_groups[0]['lr']]\nresult = rates",
    "p = nn.Parameter(torch.ones(2)); o = torch.optim.SGD([p], lr=1.0); s = torch.optim.lr_scheduler.ReduceLROnPlateau(o, patience=1)\n"
    "rates = []\nfor m in (1, 0.5, 0.5, 0.5, 0.5, 0.2, 0.3, 0.3): s.step(m); rates.append(o.param_groups[0]['lr'])\nresult = rates",
    "p = nn.Parameter(torch.ones(2)); o = torch.optim.SGD([p], lr=1.0); s = torch.optim.lr_scheduler.CosineAnnealingLR(o, 10, 0.1)\n"
    "rates = []\nfor _ in range(12): o.step(); s.step(); rates.append(s.get_last_lr()[0])\nresult = rates",
    "p = nn.Parameter(torch.ones(2)); o = torch.optim.Adam([p])\n"
    "s = torch.optim.lr_scheduler.OneCycleLR(o, 0.1, epochs=2, steps_per_epoch=5)\n"
    "rates = s.get_last_lr()\nfor _ in range(9): o.step(); s.step(); rates.append(s.get_last_lr()[0])\nresult = rates",
    "p = [nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))]; o = torch.optim.SGD(p, lr=0.1)\n"
    "(p[0] * 3).sum().backward(); n = torch.nn.utils.clip_grad_norm_(p, 1.0); o.step(); result = n, p[0], p[1]",
    "d = torch.utils.data.TensorDataset(a, y); result = [x for batch in torch.utils.data.DataLoader(d, batch_size=2) for x in batch]",
    "d = torch.utils.data.TensorDataset(torch.arange(10)); p = torch.utils.data.random_split(d, [7, 3])\n"
    "result = sorted(int(x[0]) for part in p for x in part), [len(q) for q in torch.utils.data.random_split(d, [0.55, 0.45])], "
    "len(torch.utils.data.DataLoader(d, batch_size=3)), len(torch.utils.data.DataLoader(d, batch_size=3, drop_last=True))",
    "class D(torch.utils.data.Dataset):\n    def __len__(self): return 3\n"
    "    def __getitem__(self, i): return {'x': np.ones(2) * i, 'y': i, 's': str(i)}\n"
    "result = [v for b in torch.utils.data.DataLoader(D(), batch_size=2) for v in b.values()]",
    "m = nn.Module(); m.register_buffer('b', torch.ones(2)); m.w = nn.Parameter(torch.zeros(1)); m.b.add_(1)\n"
    "result = sorted(m.state_dict()), m.b, [n for n, _ in m.named_buffers()]",
    "m = nn.ModuleList([nn.Linear(1, 1)]); m.append(nn.ReLU()); d = nn.ModuleDict({'x': nn.Linear(1, 1)}); d['y'] = m\n"
    "result = [n for n, _ in m.named_parameters()], [n for n, _ in d.named_parameters()], len(m), 'x' in d, list(d.keys())",
    "from collections import OrderedDict\ns = nn.Sequential(OrderedDict([('fc', nn.Linear(1, 1)), ('act', nn.ReLU())]))\n"
    "s.add_module('out', nn.Tanh())\n"
    "result = [n for n, _ in s.named_parameters()], len(s), type(s[1]).__name__, len(s[:2])",
    "n = nn.BatchNorm1d(4); n(a); n.eval(); result = n(a), n.running_mean, n.running_var",
    "l = nn.LSTM(4, 3, batch_first=True)\nfor q in l.parameters(): nn.init.constant_(q, 0.1)\n"
    "out, (h, cell) = l(c.view(2, 3, 4)); result = out, h, cell",
    "v = torch.nn.utils.parameters_to_vector([a, b]); p = [nn.Parameter(torch.zeros(2, 2))]\n"
    "torch.nn.utils.vector_to_parameters(torch.arange(4.), p); result = v, p[0]",
    "p = nn.Parameter(torch.ones(2)); o = torch.optim.SGD([p], lr=0.4); L = torch.optim.lr_scheduler; rates = []\n"
    "s = L.SequentialLR(o, [L.LinearLR(o, 0.1, 1.0, 3), L.ExponentialLR(o, 0.9), L.ConstantLR(o, 0.5, 2)], [3, 6])\n"
    "for _ in range(10): rates.append(s.optimizer.param_groups[0]['lr']); o.step(); s.step()\n"
    "for make in (lambda o: L.CyclicLR(o, 0.01, 0.1, step_size_up=3, mode='triangular2', cycle_momentum=False),\n"
    "             lambda o: L.MultiplicativeLR(o, lambda e: 0.9 + 0.01 * e)):\n"
    "    o = torch.optim.SGD([p], lr=0.4); s = make(o)\n"
    "    for _ in range(8): o.step(); s.step(); rates.append(o.param_groups[0]['lr'])\nresult = rates",
    "@torch.no_grad()\ndef f(x): return x * 2\nw = torch.ones(1, requires_grad=True)\nresult = f(w).requires_grad, (w * 2).requires_grad",
]


MORE = """
a.deg2rad(), torch.rad2deg(a), torch.exp2(a), a.logaddexp2(b), torch.frac(a), torch.fmod(a, b), torch.fmod(a, 0.3), a.fmax(b),
torch.fmin(a, b),
torch.fmod(k - 1, 2), torch.float_power(a.abs(), 2), torch.logit(a.sigmoid()), torch.logit(a, eps=0.1),
torch.sinc(torch.cat([a, a * 0])), torch.xlogy(k, a.abs()),
torch.angle(a), torch.isposinf(a / 0), torch.isneginf(a / 0), torch.isreal(a), a.clamp_min(0.1), torch.clamp_max(a, 0.1),
torch.is_floating_point(a), torch.is_complex(a), torch.is_nonzero(a[0, 0]), a.dtype == torch.float32,
torch.erfc(a), torch.erfinv(a / 9), torch.digamma(a.abs()), torch.lgamma(a.abs()), torch.signbit(a), torch.nextafter(a, b),
torch.positive(a), torch.real(a), torch.conj(a), a.sgn(), a.fix(),
torch.bitwise_left_shift(k, 2), k.bitwise_right_shift(1),
torch.fmax(a.log(), b), torch.fmin(b, a.log()), torch.angle(a.log()),
torch.aminmax(a), a.aminmax(dim=1, keepdim=True), torch.var_mean(a, dim=1), torch.std_mean(a, 0, keepdim=True),
torch.var_mean(a, unbiased=False), torch.std_mean(a),
torch.count_nonzero(k), k.count_nonzero(dim=1), torch.nansum(a.log(), 0), torch.nanmean(a.log(), dim=1, keepdim=True), a.log().nansum(),
torch.median(a), torch.median(a[:, :3]), a.median(dim=1), a.median(0, keepdim=True), torch.kthvalue(a, 2),
a.kthvalue(3, dim=0, keepdim=True),
torch.quantile(a, 0.3), a.quantile(torch.tensor([0.1, 0.5]), dim=1),
torch.cummax(a, 0), k.cummax(1), torch.cummin(k, dim=1), a.log().cummax(1), torch.logcumsumexp(a, dim=1),
torch.histc(a), torch.histc(a, bins=4, min=-1, max=1),
torch.cov(a), torch.cov(a[0]), torch.corrcoef(a), torch.cov(a, correction=0), torch.dist(a, b), a.dist(b, 1),
torch.trapezoid(a), torch.trapz(a, dx=0.5, dim=0), torch.trapezoid(a, b[0]), torch.cumulative_trapezoid(a, dim=0),
torch.trapezoid(a, b),
torch.ravel(a), a.reshape_as(a.T), torch.broadcast_to(a[0], (2, 4)), torch.broadcast_tensors(a, b[0]),
torch.broadcast_shapes((3, 1), (4,)),
torch.atleast_1d(a[0, 0]), torch.atleast_2d(a[0]), torch.atleast_3d(a[0], a), torch.atleast_3d(a[0, 0]),
torch.column_stack([a[:, 0], b]), torch.dstack([a, b]), torch.dstack([a[0], b[0]]),
torch.tensor_split(a, 3, dim=1), a.tensor_split([1, 3], dim=1), torch.hsplit(a, 2), torch.vsplit(a, [1]), torch.dsplit(c, 2),
a[0].hsplit([1, 2]),
torch.select(a, 1, 2), c.select(-1, 0), torch.swapdims(a, 0, 1), torch.moveaxis(c, 0, 2), c.unfold(2, 2, 1), a.unfold(0, 2, 1),
a.fliplr(), torch.flipud(a),
torch.rot90(a), torch.rot90(a, 2), a.rot90(3), torch.rot90(c, -1, (1, 2)), torch.rot90(a, 4),
torch.diag(a[0]), torch.diag(a, 1), torch.diag(a, -1), a.diagflat(), torch.diagflat(a[0], 1), torch.diag_embed(a),
torch.diag_embed(a, 1), torch.diag_embed(a, -2, 0, 2),
torch.diagonal(a, 1), torch.diagonal(c, 0, 1, 2), c.diagonal(dim1=0, dim2=2), torch.diagonal(c, -1, 2, 1),
torch.block_diag(a, b[0], k[0, 0]), torch.cartesian_prod(a[0], b[0]), torch.cartesian_prod(a[0]), torch.combinations(a[0]),
torch.combinations(a[0], 3, True),
torch.tril_indices(3, 4), torch.triu_indices(3, 3, 1), torch.vander(a[0]), torch.vander(a[0], 3, increasing=True), torch.numel(a),
torch.scatter(a, 1, y.repeat(3, 1), b), torch.scatter(a, 1, k[:, 1:2], 9.0), torch.scatter_add(a, 1, k, b), a.scatter_add(0, k[:2], b),
torch.index_add(a, 1, y, b[:, :3]), a.index_add(0, y[:2], b[:2], alpha=2), torch.index_copy(a, 1, y, b[:, :3]),
torch.index_fill(a, 1, y, 7.0),
torch.take(a, k), a.take(y), torch.take_along_dim(a, k, dim=1), torch.take_along_dim(a, k), torch.argwhere(a > 0), torch.isin(k, y),
torch.isin(k, 2, invert=True),
torch.searchsorted(a[0].sort().values, b), torch.searchsorted(y.sort().values, y, right=True), torch.bucketize(k, y.sort().values),
torch.bucketize(k, y.sort().values, right=True),
torch.addmv(a[:, 0], a, b[0]), torch.addbmm(a[:, :3], c, c.mT), torch.addr(a, a[:, 0], b[0], alpha=2), torch.inner(a, b),
torch.inner(a[0], b[0]), torch.kron(a, b),
torch.cross(a[:, :3], b[:, :3], dim=1), torch.cross(a, b), torch.cdist(a, b), torch.cdist(a, b, 1.0), torch.logdet(a @ a.T),
torch.logdet(-a[:, :3]),
torch.svd(a)[1], torch.qr(a)[1].abs(), torch.trace(a), torch.det(a[:, :3]), torch.inverse(a[:, :3]), a[:, :3].pinverse(),
torch.slogdet(a[:, :3]), torch.matrix_power(a[:, :3], 3),
torch.ger(a[0], b[0]), torch.vdot(a[0], b[0]), a.true_divide(2),
torch.linalg.vector_norm(a, 1, dim=0), torch.linalg.matrix_norm(c), torch.linalg.matrix_norm(c, 1, (0, 2), keepdim=True),
torch.linalg.norm(a), torch.linalg.norm(a, 2), torch.linalg.norm(a[0], 1), torch.linalg.norm(a, "nuc"),
torch.linalg.cross(a[:, :3], b[:, :3]), torch.linalg.vecdot(a, b), torch.linalg.diagonal(c, offset=1),
torch.linalg.multi_dot([a, b.T, a]), torch.linalg.eigvalsh(a[:, :3]), torch.linalg.eigh(a[:, :3], "U")[0],
torch.linalg.solve(a[:, :3], b), torch.linalg.svdvals(a), torch.linalg.cholesky(a @ a.T), torch.linalg.inv(a[:, :3]),
torch.fft.rfft(a).real, torch.fft.irfft(torch.fft.rfft(a)), torch.fft.fftfreq(4), torch.fft.fftshift(a), torch.fft.ifftshift(a, dim=1),
torch.fft.fft2(c, norm="ortho").real, torch.fft.fft(a, dim=0, n=5).imag,
torch.special.expit(a), torch.special.psi(a.abs()), torch.special.gammaln(a.abs()), torch.special.round(a),
F.group_norm(i, 2, torch.arange(2.), torch.ones(2)), F.instance_norm(i), F.rms_norm(a, (4,), b[0]), F.rms_norm(a, (4,), eps=0.1),
F.prelu(i, torch.tensor([0.1, 0.2])), F.prelu(a, torch.tensor([0.5])),
F.gumbel_softmax(a).sum(1), F.gumbel_softmax(a, hard=True).sum(0).sum(), F.pairwise_distance(a, b), F.pdist(a),
F.bilinear(a, b, w.reshape(3, 18)[:, :16].reshape(3, 4, 4)), F.channel_shuffle(torch.cat([i, 2 * i], 1), 2),
F.local_response_norm(i, 2),
F.lp_pool1d(c, 2, 2), F.lp_pool2d(i.abs(), 2, 2), F.adaptive_avg_pool3d(i[None], 2), F.adaptive_max_pool3d(i[None], 2),
F.upsample(i, scale_factor=2), F.dropout1d(c, training=False), F.dropout3d(i[None], training=False),
F.feature_alpha_dropout(i, training=False), F.rrelu(a),
F.multilabel_soft_margin_loss(a, (b > 0).float()), F.triplet_margin_with_distance_loss(a, b, a * 2),
F.multilabel_margin_loss(a, torch.tensor([[0, 1, -1, 0], [2, -1, 0, 0], [3, 0, 1, 2]])),
torch.diff(a), a.diff(dim=0), torch.diff(a, 2), torch.is_same_size(a, b), torch.celu(a), torch.cosine_similarity(a, b),
torch.conv2d(i, w), torch.max_pool2d(i, 2), torch.pixel_shuffle(torch.cat([i, i], 1), 2),
torch.dtype is type(a.dtype) or True, torch.inf, torch.pi, torch.e, torch.finfo(torch.float32).eps, torch.iinfo(torch.int8).max,
torch.result_type(a, k) == torch.float32, torch.promote_types(torch.float32, torch.int64) == torch.float32,
torch.can_cast(torch.float64, torch.float32), torch.can_cast(torch.float32, torch.int64), torch.is_grad_enabled(),
torch.DoubleTensor([1.5]), torch.IntTensor([1]), torch.BoolTensor([True]), torch.scalar_tensor(2.0), torch.clone(a),
torch.logspace(0, 2, 3), torch.logspace(0, 3, 4, base=2.0), torch.randint_like(k, 1), torch.asarray([1.0]),
torch.from_dlpack(np.ones(2)),
""".strip().splitlines()  # several functions a line


def names_of(library: str) -> Callable[[], dict[str, Any]]:
    """What makes the names that expressions use, under "torch" or "slopes.torch"."""
    modules = [importlib.import_module(library + suffix) for suffix in ("", ".nn", ".nn.functional")]
    return lambda: make_names(*modules)


def make_names(torch: Any, nn: Any, F: Any) -> dict[str, Any]:
    """The values that expressions may use."""
    rng = np.random.default_rng(3)
    a, b = (rng.standard_normal((3, 4)).astype(np.float32) for _ in range(2))
    c, i = rng.standard_normal((2, 3, 4)).astype(np.float32), rng.standard_normal((1, 2, 6, 6)).astype(np.float32)
    w, k = rng.standard_normal((3, 2, 3, 3)).astype(np.float32), rng.integers(0, 3, (3, 4))
    tensors = {name: torch.tensor(array) for name, array in dict(a=a, b=b, c=c, i=i, w=w, k=k, y=np.array([1, 0, 3])).items()}
    return {"torch": torch, "nn": nn, "F": F, "np": np, **tensors}


def value_of(text: str, names: dict[str, Any]) -> Any:
    """The value of an expression, or of `result` after a program, as nested lists."""
    scope = dict(names)
    if text in PROGRAMS:
        exec(text, scope)
        return plain(scope["result"])
    return plain(eval(text, scope))


def plain(value: Any) -> Any:
    """Tensors and arrays as [dtype, shape, numbers]."""
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        numbers = [float(f"{x:.7g}") if isinstance(x, float) else x for x in value.reshape(-1).tolist()]
        return [str(value.dtype), list(value.shape), numbers]
    return str(value) if not isinstance(value, (bool, int, float, str)) else value
