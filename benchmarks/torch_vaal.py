"""VAAL in PyTorch: the peer of `python benchmarks/training.py --what vaal`."""

import torch
import torch.nn.functional as F
from torch import nn

LATENT, WIDTHS = 32, (128, 256, 512, 1024)


class Coder(nn.Module):
    """Encoder, reparameterisation and decoder, as published, for `size` pixels."""

    def __init__(self, size):
        super().__init__()
        self.side, layers, below = size // 16, [], 3
        for width in WIDTHS:
            layers += [nn.Conv2d(below, width, 4, 2, 1, bias=False), nn.BatchNorm2d(width)]
            layers.append(nn.ReLU(inplace=True))
            below = width
        self.encoder = nn.Sequential(*layers)
        pixels = below * self.side**2
        self.mean, self.log_variance = nn.Linear(pixels, LATENT), nn.Linear(pixels, LATENT)
        self.first, layers = nn.Linear(LATENT, pixels), []
        for width in reversed(WIDTHS[:-1]):
            layers += [nn.ConvTranspose2d(below, width, 4, 2, 1, bias=False)]
            layers += [nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
            below = width
        self.decoder = nn.Sequential(*layers, nn.ConvTranspose2d(below, 3, 4, 2, 1))

    def encode(self, images):
        code = self.encoder(images).flatten(1)
        return self.mean(code), self.log_variance(code)

    def forward(self, images):
        mean, log_variance = self.encode(images)
        z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        first = self.first(z).view(len(z), WIDTHS[-1], self.side, self.side)
        return self.decoder(first), mean, log_variance


class Vaal:
    """One step: two moves of the autoencoder, one of the discriminator. layout: "contiguous" or
    "channels_last"."""

    def __init__(self, size, layout):
        kind = torch.channels_last if layout == "channels_last" else torch.contiguous_format
        self.format = kind
        self.coder = Coder(size).to(memory_format=kind)
        hidden = [nn.Linear(LATENT, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU()]
        self.judge = nn.Sequential(*hidden, nn.Linear(512, 1))
        self.adams = [
            torch.optim.Adam(model.parameters(), lr=5e-4, fused=True)
            for model in (self.coder, self.judge)
        ]

    def step(self, labelled, unlabelled):
        """labelled, unlabelled: [2][B][3][size][size], images of each move."""
        ones = torch.ones(len(labelled[0]), 1)
        bce = F.binary_cross_entropy_with_logits
        for pair in zip(labelled, unlabelled, strict=True):
            loss = 0
            for images in (part.contiguous(memory_format=self.format) for part in pair):
                found, mean, log_variance = self.coder(images)
                kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum()
                loss = loss + F.mse_loss(found, images) + kl + bce(self.judge(mean), ones)
            self.adams[0].zero_grad(set_to_none=True)
            loss.backward()
            self.adams[0].step()
        with torch.no_grad():
            seen = [part.contiguous(memory_format=self.format) for part in pair]
            means = [self.coder.encode(part)[0] for part in seen]
        loss = bce(self.judge(means[0]), ones) + bce(self.judge(means[1]), 0 * ones)
        self.adams[1].zero_grad(set_to_none=True)
        loss.backward()
        self.adams[1].step()
        return float(loss.detach())
