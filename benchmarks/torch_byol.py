"""BYOL at every level in PyTorch: the peer of `python benchmarks/training.py --what byol`."""

import copy

import torch
import torch.nn.functional as F
from torch import nn
from torch_networks import Trainer


def head(channels, hidden):
    return nn.Sequential(
        nn.Conv2d(channels, hidden, 1),
        nn.BatchNorm2d(hidden),
        nn.ReLU(inplace=True),
        nn.Conv2d(hidden, channels, 1),
    )


class Byol(Trainer):
    """One step: target and network on both views, projectors, one predictor, mean squares, Adam,
    the moving average. form: as Trainer's; there is one form of the loss."""

    def __init__(self, arrays, form, hidden=256, momentum=0.99):
        super().__init__(arrays, form)
        with torch.no_grad():
            maps = self.net(torch.zeros(1, int(arrays["ints"][0][5]), 64, 64))
        widths = [m.shape[1] for m in maps]
        self.projectors = nn.ModuleList(head(c, hidden) for c in widths)
        self.predictor = head(widths[-1], hidden)
        self.online = nn.ModuleList([self.net, self.projectors])
        self.target, self.momentum = copy.deepcopy(self.online), momentum
        learned = [*self.online.parameters(), *self.predictor.parameters()]
        self.adam = torch.optim.Adam(learned, lr=1e-3, weight_decay=1e-4, fused=True)

    def project(self, models, view, points):
        net, projectors = models
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            maps = net(view.contiguous(memory_format=self.format))
        out = []
        for d, (m, projector) in enumerate(zip(maps, projectors, strict=True)):
            x, y = (points >> (len(maps) - d)).unbind(-1)
            items = torch.arange(len(m))[:, None].expand_as(x)
            rows = m.float()[items, :, y, x]  # [B][P][C]
            out.append(projector(rows.permute(0, 2, 1)[:, :, None]))
        return out

    def step(self, images, crops, place, target):
        """Arguments as of Trainer.step."""
        views = (images, target), (crops, place)
        with torch.no_grad():
            goals = [self.project(self.target, *view) for view in views]
        self.adam.zero_grad(set_to_none=True)
        found = [self.project(self.online, *view) for view in views]
        total = 0
        for here, there in ((0, 1), (1, 0)):
            for z, goal in zip(found[here], goals[there], strict=True):
                total = total + F.mse_loss(self.predictor(z), goal) / len(goals[0])
        total.backward()
        self.adam.step()
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.target.parameters()), list(self.online.parameters()), 1 - self.momentum
            )
        return float(total.detach())
