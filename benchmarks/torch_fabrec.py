"""Both stages of 3FabRec in PyTorch: the peers of `python benchmarks/training.py --what fabrec-1`
and `fabrec-2`. Imports torch and numpy only; `arrays` holds what Network gives, NAME_ before it."""

import torch
from torch.nn import functional as F
from torch_networks import TorchNetwork

TINY = 1e-8


def network(arrays, name, layout):
    net = TorchNetwork(arrays[f"{name}_ints"], arrays[f"{name}_floats"])
    net.put(*(arrays[f"{name}_{what}"] for what in ("blocks", "parameters", "state")))
    return net.to(memory_format=layout)


def layout_of(form):
    return torch.channels_last if form == "channels_last" else torch.contiguous_format


def structure(x, y, line):
    """1 - the contrast and structure term, all images and channels in one separable convolution of
    the five products."""
    stack = torch.cat([x, y, x * x, y * y, x * y], 1)
    channels = stack.shape[1]
    rows = line.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    stack = F.conv2d(stack, rows, groups=channels)
    stack = F.conv2d(stack, rows.transpose(2, 3), groups=channels)
    mean_x, mean_y, xx, yy, xy = stack.chunk(5, 1)
    extent = torch.where(x.flatten(1).amin(1) < -0.5, 2.0, 1.0).view(-1, 1, 1, 1)
    stable = (0.03 * extent) ** 2
    over = 2 * (xy - mean_x * mean_y) + stable
    return 1 - (over / (xx - mean_x**2 + yy - mean_y**2 + stable)).mean()


class Autoencoder:
    """Steps of stage 1 with all terms on."""

    def __init__(self, arrays, form):
        self.layout = layout_of(form)
        names = ("encoder", "generator", "latent_discriminator", "discriminator")
        self.q, self.p, self.dz, self.d = (network(arrays, n, self.layout).train() for n in names)
        rates = (2e-5, 2e-5, 2e-5, 1e-5)
        self.adam = [
            torch.optim.Adam(net.parameters(), lr=rate, betas=(0.0, 0.999), fused=True)
            for net, rate in zip((self.q, self.p, self.dz, self.d), rates, strict=True)
        ]
        line = torch.exp(-((torch.arange(31) - 15.0) ** 2) / (2 * 1.5**2))
        self.line, self.number = line / line.sum(), 0

    def step(self, x, *_):
        """x: [B][3][S][S]."""
        x = x.contiguous(memory_format=self.layout)
        number, self.number = self.number, self.number + 1
        q, p, dz, d = self.adam
        z = self.q(x)[0]
        made = self.p(z)[0]
        if number % 4 == 0:
            dz.zero_grad(set_to_none=True)
            real, fake = self.dz(torch.randn_like(z))[0], self.dz(z.detach())[0]
            (-torch.mean(torch.log(real + TINY) + torch.log(1 - fake + TINY))).backward()
            dz.step()
        if number % 2 == 0:
            d.zero_grad(set_to_none=True)
            real, fake = self.d(x)[0], self.d(made.detach())[0]
            (-torch.mean(torch.log(real + TINY) + torch.log(1 - fake + TINY))).backward()
            d.step()
        loss = 0.5 * 255 * (x - made).abs().mean() + 30 * structure(x, made, self.line)
        self.d.requires_grad_(False)
        self.dz.requires_grad_(False)
        loss = loss - torch.mean(torch.log(self.d(made)[0] + TINY))
        if number % 2 == 0:
            loss = loss - 2 * torch.mean(torch.log(self.dz(z)[0] + TINY))
        q.zero_grad(set_to_none=True)
        p.zero_grad(set_to_none=True)
        loss.backward()
        q.step()
        p.step()
        self.d.requires_grad_(True)
        self.dz.requires_grad_(True)
        return float(loss.detach())


class Transfer:
    """Steps of stage 2: features at rest, of the head five layers learn."""

    def __init__(self, arrays, form):
        self.layout = layout_of(form)
        self.features = network(arrays, "features", self.layout).folded()
        self.head = network(arrays, "head", self.layout).train().requires_grad_(False)
        learns = []
        for layer in arrays["moving"]:
            learns += list(self.head.modules_of[int(layer)].requires_grad_(True).parameters())
        self.adam = torch.optim.Adam(learns, lr=1e-3, fused=True)

    def step(self, x, targets):
        with torch.inference_mode():
            x1 = self.features(x.contiguous(memory_format=self.layout))[0]
        self.adam.zero_grad(set_to_none=True)
        loss = 300 * F.mse_loss(self.head(x1.clone())[0], targets)
        loss.backward()
        self.adam.step()
        return float(loss.detach())


def batch(size, count, landmarks, seed=0):
    """Pictures and heat maps: the cost of a step does not depend on them."""
    g = torch.Generator().manual_seed(seed)
    x = torch.rand(count, 3, size, size, generator=g) - 0.5
    return x, torch.rand(count, landmarks, 128, 128, generator=g)


KINDS: dict[str, type] = {"fabrec-1": Autoencoder, "fabrec-2": Transfer}
