"""A narrow network for training from nothing on two cores."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .network import Network


def laptop(
    encoder: Sequence[int] = (32, 64, 128, 128, 128),
    depths: Sequence[int] = (1, 2, 2, 2, 1),
    decoder: Sequence[int] = (64, 64, 32, 32),
    decoder_depth: int = 1,
    channels: int = 32,
    stem: int = 4,
    align: bool = False,
    image_channels: int = 1,
) -> Network:
    """A U-Net whose finest map has stride 2: no layer works on all pixels.

    The stem is a convolution with stride 2; each further level of the encoder pools and convolves;
    the decoder resizes, joins [encoder, decoder] and convolves; every level has a 1 x 1 head. All
    convolutions but the heads are followed by batch norm and ReLU.

    Args:
        encoder, depths: channels and 3 x 3 convolutions at strides 2, 4, .. (finest first). The
            number of levels is their length.
        decoder, decoder_depth: channels at all strides but the coarsest, coarsest first, and
            convolutions of each.
        channels: of the features. stem: size of its kernel, even.
        align: whether resizing keeps corner pixels in place.
        image_channels: 1, grey.
    """
    net = Network("torch")

    def head(x: int, level: int) -> None:
        net.output(net.conv(x, channels, 1, name=f"head{level}"))

    trunk(net, encoder, depths, decoder, decoder_depth, stem, align, image_channels, head)
    return net


def trunk(
    net: Network,
    encoder: Sequence[int],
    depths: Sequence[int],
    decoder: Sequence[int],
    decoder_depth: int,
    stem: int,
    align: bool,
    image_channels: int,
    head: Callable[[int, int], None],
) -> None:
    """The layers of `laptop` but its heads; head(map, level) is called at every level, the
    coarsest, which has the highest number, first; level 1 has stride 2."""
    if not 2 <= len(encoder) <= 8 or len(depths) != len(encoder):
        raise ValueError(
            f"depths and encoder must both hold 2 to 8 numbers, got {len(depths)} and "
            f"{len(encoder)}"
        )
    if len(decoder) != len(encoder) - 1:
        raise ValueError(f"decoder must hold {len(encoder) - 1} numbers, got {len(decoder)}")
    if min(depths) < 0 or min(depths[1:]) < 1 or decoder_depth < 1:
        raise ValueError("depths must be at least 1 (0 at stride 2), decoder_depth at least 1")
    if stem < 2 or stem % 2:
        raise ValueError(f"stem must be even, got {stem}")

    def block(x: int, width: int, name: str, **conv) -> int:
        x = net.conv(x, width, bias=False, name=name, **conv)
        return net.relu(net.batch_norm(x, name=f"{name}.norm"), name=f"{name}.relu")

    x = net.input(image_channels, name="image")
    x = block(x, encoder[0], "stem", kernel=stem, stride=2, padding=stem // 2 - 1)
    taps = []
    for level, (width, depth) in enumerate(zip(encoder, depths, strict=True)):
        if level:
            x = net.max_pool(x, name=f"down{level}.pool")
        for i in range(depth):
            x = block(x, width, f"down{level}.conv{i + 1}")
        taps.append(x)
    finest = len(encoder)
    head(x, finest)
    for i, (width, skip) in enumerate(zip(decoder, taps[-2::-1], strict=True), 1):
        name = f"up{i}"
        x = net.resize(x, 2, align=align, name=f"{name}.resize")
        x = net.concat(skip, x, name=f"{name}.concat")
        for k in range(decoder_depth):
            x = block(x, width, f"{name}.conv{k + 1}")
        head(x, finest - i)
