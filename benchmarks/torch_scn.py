"""Supervised heat maps in PyTorch: the peer of `python benchmarks/training.py --what scn`."""

import torch
from torch import nn
from torch_networks import TorchNetwork


class Scn:
    """One step: Gaussian targets whose deviations are trained too, half the squared distance,
    weight decay, Nesterov momentum, the norm of the whole gradient cut. layout: "contiguous" or
    "channels_last"."""

    def __init__(self, arrays, layout, landmarks):
        kind = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        self.format = kind
        self.net = TorchNetwork(arrays["ints"], arrays["floats"])
        self.net.put(arrays["blocks"], arrays["parameters"], arrays["state"])
        self.net = self.net.to(memory_format=kind).train()
        self.sigmas = nn.Parameter(torch.full((landmarks,), 2.5))
        self.kernels = [p for p in self.net.parameters() if p.dim() > 1]
        rest = [p for p in self.net.parameters() if p.dim() == 1]
        groups = [
            {"params": self.kernels, "weight_decay": 0.001},
            {"params": [*rest, self.sigmas], "weight_decay": 0.0},
        ]
        self.sgd = torch.optim.SGD(groups, lr=1e-6, momentum=0.99, nesterov=True)

    def step(self, images, points):
        """images [B][1][H][W]; points [B][L][2], (x, y)."""
        height, width = images.shape[2:]
        y, x = torch.arange(height)[:, None], torch.arange(width)
        self.sgd.zero_grad(set_to_none=True)
        (maps,) = self.net(images.contiguous(memory_format=self.format))
        s = self.sigmas[:, None, None]
        bell_x = torch.exp(-((x - points[..., 0, None]) ** 2) / (2 * self.sigmas[:, None] ** 2))
        bell_y = torch.exp(-((y.T - points[..., 1, None]) ** 2) / (2 * self.sigmas[:, None] ** 2))
        target = 100 / (2 * torch.pi * s**2) * bell_y[..., :, None] * bell_x[..., None, :]
        loss = ((target - maps) ** 2).sum() / 2 / len(images) + 10 * (self.sigmas**2).sum()
        loss.backward()
        nn.utils.clip_grad_norm_([*self.net.parameters(), self.sigmas], 10_000)
        self.sgd.step()
        return float(loss.detach())
