"""The peer: a network described by Network, its loss and its training step, in PyTorch.

Imports torch and numpy only: a peer's interpreter has no scp. `arrays` is what Network gives:
ints int32 [n][16], floats float32 [n][4], blocks int64 [n][4], parameters and state float32 (see
scp/networks/network.py for the columns). Maps are [B][C][H][W] here.
"""

import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

(
    INPUT,
    CONV,
    TRANSPOSED,
    BATCH_NORM,
    INSTANCE_NORM,
    LEAKY,
    SIGMOID,
    TANH,
    MAX_POOL,
    RESIZE,
    CONCAT,
    ADD,
    MEAN,
    DROPOUT,
    AVERAGE_POOL,
    UPSAMPLE,
    MULTIPLY,
    LOG_SOFTMAX,
) = range(18)


class Upsample(nn.Module):
    """A transposed convolution of every channel by itself, whose kernel is fixed."""

    def __init__(self, channels, factor, kernel):
        super().__init__()
        self.factor, self.channels, self.pad = factor, channels, (kernel - factor) // 2
        x = (torch.arange(kernel, dtype=torch.float64) + 0.5) / factor - kernel / factor / 2
        x = x.abs()
        if kernel == 2 * factor:
            line = 1 - x
        else:
            far = -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
            line = torch.where(x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, far)
        weight = (line[:, None] * line).float().expand(channels, 1, -1, -1)
        self.register_buffer("weight", weight.clone(), persistent=False)

    def forward(self, x):
        return F.conv_transpose2d(
            x, self.weight, stride=self.factor, padding=self.pad, groups=self.channels
        )


class TorchNetwork(nn.Module):
    """The same layers in the same order; forward gives the outputs in order of their layers."""

    def __init__(self, ints, floats):
        super().__init__()
        self.ints = [[int(v) for v in row] for row in ints]
        self.floats = [[float(v) for v in row] for row in floats]
        self.inputs = [[x for x in row[1:5] if x >= 0] for row in self.ints]
        readers = np.zeros(len(self.ints), int)
        for xs in self.inputs:
            readers[xs] += 1
        self.channels, self.modules_of = [], nn.ModuleList()
        self.in_place, self.last = [], [i for i, _ in enumerate(self.ints)]
        for i, row in enumerate(self.ints):
            xs = self.inputs[i]
            for x in xs:
                self.last[x] = i
            self.modules_of.append(self._module(i))
            free = bool(xs) and readers[xs[0]] == 1 and not self.ints[xs[0]][15]
            self.in_place.append(free and self.ints[xs[0]][0] in (CONV, TRANSPOSED, BATCH_NORM))
            width = row[5] if row[0] in (INPUT, CONV, TRANSPOSED) else None
            if row[0] == CONCAT:
                width = sum(self.channels[x] for x in xs)
            self.channels.append(self.channels[xs[0]] if width is None else width)
        self.last = [
            len(self.ints) if row[15] else n for row, n in zip(self.ints, self.last, strict=True)
        ]

    def _module(self, i):
        op, *_, channels, ky, kx, stride, dilation, py, px, bias, factor, _, _ = self.ints[i]
        _, epsilon, momentum, rate = self.floats[i]
        below = self.channels[self.inputs[i][0]] if self.inputs[i] else 0
        if op in (CONV, TRANSPOSED):
            kind = nn.Conv2d if op == CONV else nn.ConvTranspose2d
            return kind(
                below, channels, (ky, kx), stride, (py, px), dilation=dilation, bias=bool(bias)
            )
        if op == BATCH_NORM:
            return nn.BatchNorm2d(below, eps=epsilon, momentum=momentum)
        if op == INSTANCE_NORM:
            return nn.InstanceNorm2d(below, eps=epsilon)
        if op == DROPOUT:
            return nn.Dropout(rate)
        if op == AVERAGE_POOL:
            return nn.AvgPool2d(factor)
        if op == UPSAMPLE:
            return Upsample(below, factor, ky)
        return nn.Identity()

    def forward(self, images):
        values, outputs = [images], []
        for i, row in enumerate(self.ints):
            op, xs = row[0], [values[x] for x in self.inputs[i]]
            if op == LEAKY:
                slope = self.floats[i][0]
                here = self.in_place[i]
                y = F.relu(xs[0], here) if slope == 0 else F.leaky_relu(xs[0], slope, here)
            elif op == SIGMOID:
                y = torch.sigmoid(xs[0])
            elif op == TANH:
                y = torch.tanh(xs[0])
            elif op == LOG_SOFTMAX:
                y = F.log_softmax(xs[0], 1)
            elif op == MAX_POOL:
                y = F.max_pool2d(xs[0], 3, 2, 1) if row[6] else F.max_pool2d(xs[0], 2)
            elif op == RESIZE:
                y = F.interpolate(
                    xs[0], scale_factor=row[13], mode="bilinear", align_corners=bool(row[14])
                )
            elif op == CONCAT:
                y = torch.cat(xs, 1)
            elif op == ADD:
                y = xs[0] + xs[1]
            elif op == MULTIPLY:
                y = xs[0] * xs[1]
            elif op == MEAN:
                y = xs[0].mean((2, 3), keepdim=True)
            elif op != INPUT:
                y = self.modules_of[i](xs[0])
            if op != INPUT:
                values.append(y)
            for x in self.inputs[i]:
                if self.last[x] == i:
                    values[x] = None  # as eager code would let it go
            if row[15]:
                outputs.append(values[i])
        return outputs

    def _vectors(self, blocks):
        """(tensor, its place in the flat arrays, shape there, permutation to torch, state?)."""
        for i, row in enumerate(self.ints):
            at, n, state, _ = (int(v) for v in blocks[i])
            m, c = self.modules_of[i], self.channels[i]
            if row[0] in (CONV, TRANSPOSED):
                below = self.channels[self.inputs[i][0]]
                order = (3, 2, 0, 1) if row[0] == CONV else (2, 3, 0, 1)
                shape = row[6], row[7], below, c
                yield m.weight, at, shape, order, False
                if m.bias is not None:
                    yield m.bias, at + n - c, (c,), (0,), False
            elif row[0] == BATCH_NORM:
                yield m.weight, at, (c,), (0,), False
                yield m.bias, at + c, (c,), (0,), False
                yield m.running_mean, state, (c,), (0,), True
                yield m.running_var, state + c, (c,), (0,), True

    def put(self, blocks, parameters, state):
        """Copies the flat arrays into the modules."""
        with torch.no_grad():
            for tensor, at, shape, order, running in self._vectors(blocks):
                flat = (state if running else parameters)[at : at + int(np.prod(shape))]
                tensor.copy_(torch.from_numpy(flat.reshape(shape).transpose(order).copy()))

    def take(self, blocks, parameters, state, gradients=False):
        """Copies the modules' numbers (or gradients) into the flat arrays."""
        for tensor, at, shape, order, running in self._vectors(blocks):
            if gradients and running:
                continue
            value = (tensor.grad if gradients else tensor).detach().float().numpy()
            flat = value.transpose(np.argsort(order)).reshape(-1)
            (state if running else parameters)[at : at + int(np.prod(shape))] = flat

    def folded(self):
        """A copy for eval in which batch norm is part of the convolution before it."""
        import copy

        net = copy.deepcopy(self).eval()
        readers = [x for xs in self.inputs for x in xs]
        for i, row in enumerate(net.ints):
            x = net.inputs[i][0] if net.inputs[i] else 0
            conv = net.modules_of[x]
            if row[0] == BATCH_NORM and net.ints[x][0] == CONV and readers.count(x) == 1:
                net.modules_of[x] = nn.utils.fusion.fuse_conv_bn_eval(conv, net.modules_of[i])
                net.modules_of[i] = nn.Identity()
        return net


def loss(
    images,
    crops,
    place,
    target,
    *,
    temperature=0.1,
    window=11,
    margin=0.07,
    margin_limit=0.8,
    epsilon=1e-3,
    form="dense",
):
    """Multi-level windowed InfoNCE; a list of D losses, each the mean over images and points.

    images, crops: lists of D maps [B][C][G][G], coarsest first. place, target int64 [B][P][2]: (x,
    y) of the points in pixels of the crop and of the image; level d has stride 2^(D - d). Negatives
    of level 0 are all cells, of the others rows g - window .. g + window - 1 around the positive g,
    columns likewise; a negative's handicap is min(margin * cells of distance, margin_limit).
    form: "dense" multiplies with all cells and masks; "gather" takes the windows' vectors.
    """
    losses = []
    levels = len(images)
    for d, (image, crop) in enumerate(zip(images, crops, strict=True)):
        shift = levels - d
        B, C, H, W = image.shape
        keys = image.permute(0, 2, 3, 1).reshape(B, H * W, C)
        cx, cy = place[..., 0] >> shift, place[..., 1] >> shift
        gx, gy = target[..., 0] >> shift, target[..., 1] >> shift
        rows = crop.permute(0, 2, 3, 1).reshape(B, -1, C)
        flat = (cy * crop.shape[3] + cx)[..., None].expand(-1, -1, C)
        query = rows.gather(1, flat)  # [B][P][C]
        local = d > 0 and (2 * window < H or 2 * window < W)
        if form == "gather" and local:
            cells = torch.arange(-window, window)
            y, x = gy[..., None] + cells, gx[..., None] + cells
            inside = ((y >= 0) & (y < H))[..., :, None] & ((x >= 0) & (x < W))[..., None, :]
            index = y.clamp(0, H - 1)[..., :, None] * W + x.clamp(0, W - 1)[..., None, :]
            index = index.flatten(2) + torch.arange(B)[:, None, None] * (H * W)
            near = F.embedding(index, keys.reshape(B * H * W, C))  # [B][P][cells][C]
            dots = (near @ query[..., None])[..., 0]
            norms = near.norm(dim=-1)
            squared = (cells[:, None] ** 2 + cells**2).flatten().expand_as(dots)
            inside = inside.flatten(2)
            positive = torch.full_like(gx, window * 2 * window + window)
        else:
            dots = query @ keys.transpose(1, 2)  # [B][P][H * W]
            norms = keys.norm(dim=-1)[:, None]
            y, x = torch.arange(H), torch.arange(W)
            dy, dx = y - gy[..., None], x - gx[..., None]
            squared = (dy**2)[..., :, None] + (dx**2)[..., None, :]
            squared = squared.flatten(2)
            inside = None
            if d > 0:
                rows_in = (dy >= -window) & (dy < window)
                columns_in = (dx >= -window) & (dx < window)
                inside = (rows_in[..., :, None] & columns_in[..., None, :]).flatten(2)
            positive = gy * W + gx
        cosine = dots / (norms * query.norm(dim=-1)[..., None] + epsilon)
        handicap = (squared.float().sqrt() * margin).clamp(max=margin_limit)
        z = (cosine + handicap) / temperature
        if inside is not None:
            z = z.masked_fill(~inside, -torch.inf)
        chosen = z.gather(2, positive[..., None])[..., 0]  # its handicap is 0
        losses.append((torch.logsumexp(z, 2) - chosen).mean())
    return losses


class Trainer:
    """One training step in one of PyTorch's forms: both views, loss, backward, Adam.

    form: "float32" or "bfloat16" (autocast of both forwards; the loss is float32), then
    "contiguous" or "channels_last", then "dense" or "gather": "float32 channels_last gather".
    """

    def __init__(self, arrays, form, rate=1e-3, weight_decay=1e-4):
        precision, layout, self.loss_form = form.split()
        self.net = TorchNetwork(arrays["ints"], arrays["floats"])
        self.net.put(arrays["blocks"], arrays["parameters"], arrays["state"])
        self.format = getattr(torch, f"{layout}_format" if layout == "contiguous" else layout)
        self.net = self.net.to(memory_format=self.format).train()
        self.half = precision == "bfloat16"
        self.adam = torch.optim.Adam(
            self.net.parameters(), lr=rate, weight_decay=weight_decay, fused=True
        )

    def step(self, images, crops, place, target):
        """images [B][C][H][W], crops [B][C][h][w], points: see `loss`. The summed loss."""
        self.adam.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            maps = self.net(images.contiguous(memory_format=self.format))
            small = self.net(crops.contiguous(memory_format=self.format))
        if self.half:
            maps, small = [m.float() for m in maps], [m.float() for m in small]
        total = sum(loss(maps, small, place, target, form=self.loss_form))
        total.backward()
        self.adam.step()
        return float(total.detach())


def batch(size, crop, count, points, channels, seed=0):
    """Random images, crops and points (x, y): the cost of a step does not depend on them."""
    g = torch.Generator().manual_seed(seed)
    images = torch.rand(count, channels, size, size, generator=g)
    crops = torch.rand(count, channels, crop, crop, generator=g)
    place = torch.randint(crop // 10, crop - crop // 10, (count, points, 2), generator=g)
    target = place + torch.randint(0, size - crop, (count, 1, 2), generator=g)
    return images, crops, place, target


def time_steps(trainer, data, steps):
    """Seconds of each step."""
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        trainer.step(*data)
        times.append(time.perf_counter() - start)
    return times


class Extractor:
    """Features of a batch, in one of the forms: precision and layout, batch norm folded."""

    def __init__(self, arrays, form):
        precision, layout = form.split()
        net = TorchNetwork(arrays["ints"], arrays["floats"])
        net.put(arrays["blocks"], arrays["parameters"], arrays["state"])
        self.format = getattr(torch, f"{layout}_format" if layout == "contiguous" else layout)
        self.net = net.folded().to(memory_format=self.format)
        self.half = precision == "bfloat16"

    @torch.inference_mode()
    def __call__(self, images):
        with torch.autocast("cpu", torch.bfloat16, enabled=self.half):
            return self.net(images.contiguous(memory_format=self.format))
