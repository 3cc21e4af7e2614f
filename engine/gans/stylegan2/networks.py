"""The networks of StyleGAN2 (arXiv 1912.04958), from z to the image and from the image to its logit.

z -> `Mapping` -> w -> `Synthesis` (a `SynthesisBlock` for each resolution) -> image; `Discriminator` judges it by
blocks of halving resolution, minibatch-std, and projection on the condition.

Weights are stored with unit variance and scaled at run time (equalised learning rate, arXiv 1710.10196 section 4.1).
Convolutions run in the precision of their input; styles, demodulation and their weights' sums stay in fp32. The
gains of activations and of the equalised learning rate are folded into weights and biases, which cost less to scale
than images do: LeakyReLU(g x) = g LeakyReLU(x) for g > 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from engine.gans.stylegan2.architecture import Architecture
from engine.gans.stylegan2.operations.convolutions import convolved
from engine.gans.stylegan2.operations.epilogue import epilogue
from engine.gans.stylegan2.operations.filters import blurred, downsampled, resample_filter, upsampled


class Block(nn.Module):
    """A block of one resolution; `precision` None means that of its weights."""

    resample_filter: Tensor
    precision: torch.dtype | None = None
    lowerable: bool = False

    def in_precision(self, x: Tensor) -> Tensor:
        """x in the precision of the block."""
        return x.to(self.precision or self.resample_filter.dtype)


def set_precision(network: nn.Module, dtype: torch.dtype) -> None:
    """Let the blocks of the `num_fp16_res` highest resolutions compute in `dtype`; float32 undoes it.

    The mapping, the affine layers, the sum of RGB, the discriminator's last block and all outputs stay fp32.
    """
    for module in network.modules():
        if isinstance(module, Block):
            module.precision = dtype if module.lowerable and dtype != torch.float32 else None


Activation = Literal["linear", "lrelu"]
Noise = Literal["const", "random", "none"]
SLOPE = 0.2
SLOPES = {"linear": 1.0, "lrelu": SLOPE}
GAINS = {"linear": 1.0, "lrelu": sqrt(2)}


def norm2(x: Tensor) -> Tensor:
    """Each row of x [N, D] divided by its root mean square."""
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def cast_with_energy(weight: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """weight [o, i, k, k] as `dtype`, and the sum of its squares over each kernel, [o, i]."""
    if torch.is_grad_enabled():
        return _CastWithEnergy.apply(weight, dtype)
    return weight.to(dtype), weight.square().sum((2, 3))


class _CastWithEnergy(torch.autograd.Function):
    """Both in one, because the gradients of both then come together in one pass over the weight."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(weight)
        return weight.to(dtype, copy=True), weight.square().sum((2, 3))

    @staticmethod
    def backward(ctx: Any, of_cast: Tensor, of_energy: Tensor) -> tuple[Tensor, None]:
        (weight,) = ctx.saved_tensors
        return torch.addcmul(of_cast.to(weight.dtype), weight, 2 * of_energy[:, :, None, None]), None


class FullyConnected(nn.Module):
    """x [N, i] -> [N, o], with equalised learning rate; `lr` multiplies that rate, in mapping networks by 0.01 mostly.

    y = x @ (W lr / sqrt(i)).T + b lr, with W and b as they are stored.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        activation: Activation = "linear",
        lr: float = 1.0,
        initial_bias: float = 0.0,
    ):
        super().__init__()
        self.activation: Activation = activation
        self.lr = lr
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / lr)
        self.bias = nn.Parameter(torch.full([outputs], initial_bias))

    def forward(self, x: Tensor) -> Tensor:
        gain = GAINS[self.activation] * self.lr
        x = x * (gain / sqrt(self.weight.shape[1]))  # smaller than the weight
        x = torch.addmm(self.bias * gain, x, self.weight.T)
        return F.leaky_relu_(x, SLOPE) if self.activation == "lrelu" else x


class Convolution(nn.Module):
    """x [N, i, h, w] -> [N, o, h, w], or twice or half the size; the discriminator's, and the generator's skips.

    `gain` multiplies the activation's own gain, and the clamp. With `frozen`, weight and bias are buffers.
    """

    weight: Tensor
    bias: Tensor | None
    resample_filter: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        *,
        bias: bool = True,
        activation: Activation = "lrelu",
        resample: Literal["up", "down", None] = None,
        gain: float = 1.0,
        clamp: float | None = None,
        frozen: bool = False,
    ):
        super().__init__()
        self.activation: Activation = activation
        self.resample = resample
        self.weight_gain = 1 / sqrt(inputs * kernel**2)
        self.gain = gain * GAINS[activation]
        self.clamp = None if clamp is None else clamp * gain
        self.register_buffer("resample_filter", resample_filter())
        weight = torch.randn(outputs, inputs, kernel, kernel)
        values = {"weight": weight, "bias": torch.zeros(outputs) if bias else None}
        for name, value in values.items():
            if frozen:
                self.register_buffer(name, value)
            else:
                self.register_parameter(name, None if value is None else nn.Parameter(value))

    def forward(self, x: Tensor) -> Tensor:
        weight = (self.weight * (self.weight_gain * self.gain)).to(x.dtype)
        kernel = weight.shape[-1]
        if self.resample == "down":
            x = convolved(downsampled(x), weight) if kernel == 1 else convolved(blurred(x, 2), weight, stride=2)
        elif self.resample == "up":  # only the 1x1 skips of a 'resnet' generator
            x = upsampled(convolved(x, weight))
        else:
            x = convolved(x, weight, padding=kernel // 2)
        if self.bias is None and self.activation == "linear" and self.clamp is None:
            return x
        bias = None if self.bias is None else self.bias * self.gain
        return epilogue(x, bias=bias, slope=SLOPES[self.activation], clamp=self.clamp)


class SynthesisLayer(nn.Module):
    """A 3x3 convolution modulated by w, with noise: x [N, i, h, w] and w [N, w_dim] -> [N, o, r, r].

    Scaling the activations by the styles before, and by the demodulation after one convolution with the shared
    weights, equals convolving each sample with weights of its own (appendix B of the paper), without building those.
    """

    resample_filter: Tensor
    noise_const: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        w_dim: int,
        resolution: int,
        *,
        up: bool = False,
        gain: float = 1.0,
        clamp: float | None = None,
    ):
        super().__init__()
        self.resolution, self.up = resolution, up
        self.gain = gain * GAINS["lrelu"]
        self.clamp = None if clamp is None else clamp * gain
        self.affine = FullyConnected(w_dim, inputs, initial_bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros([]))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.register_buffer("resample_filter", resample_filter())

    def forward(self, x: Tensor, w: Tensor, noise: Noise | Tensor = "const") -> Tensor:
        styles: Tensor = self.affine(w)
        weight: Tensor = self.weight
        if x.dtype == torch.float16:  # keeps sums in range; cancelled by the demodulation
            weight = weight / (weight.abs().amax((1, 2, 3), keepdim=True) * sqrt(weight[0].numel()))
            styles = styles / styles.abs().amax(1, keepdim=True)
        weight, energy = cast_with_energy(weight, x.dtype)
        demodulation = (styles.square() @ energy.T + 1e-8).rsqrt() * self.gain  # [N, o]

        x = epilogue(x, styles)
        if self.up:
            x = blurred(convolved(x, weight.transpose(0, 1), stride=2, transposed=True), 1, gain=4.0)
        else:
            x = convolved(x, weight, padding=1)
        plane, strength = self.noise_plane(noise, len(x)), self.noise_strength * self.gain
        return epilogue(x, demodulation, self.bias * self.gain, plane, strength, SLOPE, self.clamp)

    def noise_plane(self, noise: Noise | Tensor, batch: int) -> Tensor | None:
        """The noise before its strength, [batch or 1, 1, r, r]; None for none."""
        if isinstance(noise, Tensor):
            return noise
        if noise == "random":
            return torch.randn(
                [batch, 1, self.resolution, self.resolution], device=self.weight.device, dtype=self.weight.dtype
            )
        return self.noise_const[None, None] if noise == "const" else None


class ToRGB(nn.Module):
    """A 1x1 convolution modulated by w, not demodulated: x [N, i, r, r] and w [N, w_dim] -> [N, channels, r, r]."""

    def __init__(self, inputs: int, channels: int, w_dim: int, *, clamp: float | None = None):
        super().__init__()
        self.clamp = clamp
        self.style_gain = 1 / sqrt(inputs)
        self.affine = FullyConnected(w_dim, inputs, initial_bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        x = convolved(epilogue(x, self.affine(w) * self.style_gain), self.weight.to(x.dtype))
        return epilogue(x, bias=self.bias, clamp=self.clamp)


W_AVG_BETA = 0.995
"""How much of the running mean of w stays at each update."""


def one_hot(labels: Tensor | None, classes: int) -> Tensor | None:
    """Condition vectors float [N, classes] of `labels` int64 [N]; None for an unconditional network."""
    if labels is None or not classes:
        return None
    return (labels[:, None] == torch.arange(classes, device=labels.device)).float()


class Trunk(nn.Module):
    """Embedding of the condition, and the fully-connected layers, under the names that the file format has.

    z [N, z_dim] (None if z_dim is 0) and c [N, classes] (None if classes is 0) -> [N, w_dim].
    """

    def __init__(self, z_dim: int, classes: int, w_dim: int, layers: int, lr: float):
        super().__init__()
        self.z_dim, self.classes, self.layers = z_dim, classes, layers
        if classes:
            self.embed = FullyConnected(classes, w_dim)
        width = z_dim + (w_dim if classes else 0)
        for i in range(layers):
            self.add_module(f"fc{i}", FullyConnected(width, w_dim, "lrelu", lr=lr))
            width = w_dim

    def through_layers(self, z: Tensor | None, c: Tensor | None) -> Tensor:
        dtype = next(self.parameters()).dtype  # latents drawn by NumPy come as float64
        inputs = []
        if self.z_dim:
            assert z is not None
            inputs.append(norm2(z.to(dtype)))
        if self.classes:
            if c is None:
                raise ValueError(f"the network is conditional on {self.classes} classes, and no condition is given")
            inputs.append(norm2(self.embed(c.to(dtype))))
        x = torch.cat(inputs, dim=1)
        for i in range(self.layers):
            x = getattr(self, f"fc{i}")(x)
        return x


class ConditionMapping(Trunk):
    """The discriminator's: c [N, classes] -> [N, width]."""

    def __init__(self, classes: int, width: int, layers: int, lr: float):
        super().__init__(0, classes, width, layers, lr)

    def forward(self, c: Tensor | None) -> Tensor:
        return self.through_layers(None, c)


class Mapping(Trunk):
    """The generator's: z [N, z_dim] and c [N, classes] -> ws [N, num_ws, w_dim], truncated towards the mean w."""

    w_avg: Tensor

    def __init__(self, z_dim: int, classes: int, w_dim: int, num_ws: int, layers: int, lr: float):
        super().__init__(z_dim, classes, w_dim, layers, lr)
        self.num_ws = num_ws
        self.register_buffer("w_avg", torch.zeros(w_dim))

    def forward(self, z: Tensor, c: Tensor | None = None, psi: float = 1.0, cutoff: int | None = None) -> Tensor:
        """Truncation moves w to `w_avg + psi (w - w_avg)` in the first `cutoff` layers, by default in all."""
        ws = self.through_layers(z, c)[:, None].expand(-1, self.num_ws, -1)
        if psi == 1:
            return ws
        truncated = self.w_avg.lerp(ws, psi)
        return truncated if cutoff is None else torch.cat([truncated[:, :cutoff], ws[:, cutoff:]], dim=1)

    @torch.no_grad()
    def track(self, ws: Tensor) -> None:
        """Move the running mean of w towards that of ws [N, num_ws, w_dim], as one training pass does."""
        self.w_avg.lerp_(ws[:, 0].mean(0), 1 - W_AVG_BETA)


class SynthesisBlock(Block):
    """Two convolutions (one at 4x4, behind the learned constant), and a ToRGB where the architecture has one."""

    def __init__(self, resolution: int, architecture: Architecture):
        super().__init__()
        form, clamp, w_dim = architecture.g_architecture, architecture.conv_clamp, architecture.w_dim
        inputs, outputs = architecture.channels_at(resolution // 2), architecture.channels_at(resolution)
        self.first, self.residual = resolution == 4, form == "resnet" and resolution > 4
        self.to_image = form == "skip" or resolution == architecture.size
        self.convolutions = 1 if self.first else 2
        self.lowerable = architecture.in_low_precision(resolution)
        self.register_buffer("resample_filter", resample_filter())
        if self.first:
            self.const = nn.Parameter(torch.randn(outputs, 4, 4))
        else:
            self.conv0 = SynthesisLayer(inputs, outputs, w_dim, resolution, up=True, clamp=clamp)
        gain = sqrt(0.5) if self.residual else 1.0
        self.conv1 = SynthesisLayer(outputs, outputs, w_dim, resolution, gain=gain, clamp=clamp)
        if self.to_image:
            self.torgb = ToRGB(outputs, architecture.channels, w_dim, clamp=clamp)
        if self.residual:
            self.skip = Convolution(inputs, outputs, 1, bias=False, activation="linear", resample="up", gain=sqrt(0.5))

    def forward(
        self, x: Tensor | None, image: Tensor | None, ws: Sequence[Tensor], noise: Sequence[Noise | Tensor]
    ) -> tuple[Tensor, Tensor | None]:
        """x and the image so far at half the size -> both at this block's size.

        ws holds a [N, w_dim] for each convolution, and that of ToRGB, which is the next block's first.
        """
        if x is None:
            x = self.in_precision(self.const.expand(len(ws[0]), -1, -1, -1))
            x = self.conv1(x, ws[0], noise[0])
        else:
            x = self.in_precision(x)
            shortcut = self.skip(x) if self.residual else None
            x = self.conv1(self.conv0(x, ws[0], noise[0]), ws[1], noise[1])
            if shortcut is not None:
                x = x + shortcut
        if image is not None:
            image = upsampled(image)
        if self.to_image:
            rgb = self.torgb(x, ws[-1]).to(self.resample_filter.dtype)
            image = rgb if image is None else image + rgb
        return x, image


class Synthesis(nn.Module):
    """ws [N, num_ws, w_dim] -> images [N, channels, size, size] in about [-1, 1], fp32."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.num_ws = architecture.num_ws
        self.num_layers = self.num_ws - 1
        self.resolutions = architecture.resolutions
        for resolution in self.resolutions:
            self.add_module(f"b{resolution}", SynthesisBlock(resolution, architecture))

    def forward(self, ws: Tensor, noise: Noise | Sequence[Tensor] = "const") -> Tensor:
        """`noise` may be a list of planes [N or 1, 1, r, r], one a convolution, from the lowest resolution up."""
        each_w = ws.unbind(1)
        planes: Sequence[Noise | Tensor] = [noise] * self.num_layers if isinstance(noise, str) else noise
        x = image = None
        start = 0
        for resolution in self.resolutions:
            block = getattr(self, f"b{resolution}")
            end = start + block.convolutions
            x, image = block(x, image, each_w[start : end + 1], planes[start:end])
            start = end
        assert image is not None
        return image


class Generator(nn.Module):
    """z [N, z_dim] and, if conditional, c [N, classes] -> images [N, channels, size, size] in about [-1, 1]."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        self.synthesis = Synthesis(architecture)
        self.mapping = Mapping(
            architecture.z_dim,
            architecture.classes,
            architecture.w_dim,
            architecture.num_ws,
            architecture.mapping_layers,
            architecture.mapping_lr,
        )

    def forward(
        self,
        z: Tensor,
        c: Tensor | None = None,
        psi: float = 1.0,
        cutoff: int | None = None,
        noise: Noise | Sequence[Tensor] = "const",
    ) -> Tensor:
        return self.synthesis(self.mapping(z, c, psi, cutoff), noise)


def generator_of(metadata: dict[str, Any]) -> Generator:
    """The generator of a snapshot with this metadata, with random weights."""
    return Generator(Architecture(**metadata["g_architecture"]))


class DiscriminatorBlock(Block):
    """Two convolutions of one resolution, the second to half of it; the first block, or each in 'skip', sees RGB."""

    def __init__(self, resolution: int, architecture: Architecture, first_layer: int):
        """`first_layer` is the number of this block's first layer, counted from the image, for Freeze-D."""
        super().__init__()
        form, clamp = architecture.d_architecture, architecture.conv_clamp
        width, outputs = architecture.channels_at(resolution), architecture.channels_at(resolution // 2)
        self.images_pass, self.residual = form == "skip", form == "resnet"
        self.from_image = self.images_pass or resolution == architecture.size
        self.lowerable = architecture.in_low_precision(resolution)
        self.register_buffer("resample_filter", resample_filter())
        frozen = [first_layer + i < architecture.freeze_d for i in range(4)]
        if self.from_image:
            self.fromrgb = Convolution(architecture.channels, width, 1, clamp=clamp, frozen=frozen.pop(0))
        self.conv0 = Convolution(width, width, 3, clamp=clamp, frozen=frozen.pop(0))
        gain = sqrt(0.5) if self.residual else 1.0
        self.conv1 = Convolution(width, outputs, 3, resample="down", gain=gain, clamp=clamp, frozen=frozen.pop(0))
        if self.residual:
            self.skip = Convolution(
                width,
                outputs,
                1,
                bias=False,
                activation="linear",
                resample="down",
                gain=gain,
                frozen=frozen.pop(0),
            )
        self.layers = 2 + self.from_image + self.residual

    def forward(self, x: Tensor | None, image: Tensor | None) -> tuple[Tensor, Tensor | None]:
        if x is not None:
            x = self.in_precision(x)
        if self.from_image:
            assert image is not None
            seen = self.fromrgb(self.in_precision(image))
            x = seen if x is None else x + seen
            image = downsampled(image) if self.images_pass else None
        assert x is not None
        y = self.conv1(self.conv0(x))
        return y + self.skip(x) if self.residual else y, image


class LastBlock(nn.Module):
    """Minibatch-std, a convolution and two fully-connected layers at 4x4: x [N, C, 4, 4] -> [N, outputs]."""

    def __init__(self, architecture: Architecture):
        super().__init__()
        width = architecture.channels_at(4)
        self.group, self.groups_of_channels = architecture.mbstd_group, architecture.mbstd_channels
        if architecture.d_architecture == "skip":
            self.fromrgb = Convolution(architecture.channels, width, 1)
        self.conv = Convolution(width + self.groups_of_channels, width, 3, clamp=architecture.conv_clamp)
        self.fc = FullyConnected(width * 16, width, "lrelu")
        self.out = FullyConnected(width, width if architecture.classes else 1)

    def forward(self, x: Tensor, image: Tensor | None, batches: int) -> Tensor:
        x = x.to(self.fc.weight.dtype)
        if image is not None:
            x = x + self.fromrgb(image.to(x.dtype))
        if self.groups_of_channels:
            parts = [with_minibatch_std(part, self.group, self.groups_of_channels) for part in x.chunk(batches)]
            x = torch.cat(parts) if batches > 1 else parts[0]
        return self.out(self.fc(self.conv(x).flatten(1)))


def with_minibatch_std(x: Tensor, group: int | None, channels: int = 1) -> Tensor:
    """x [N, C, h, w] and, as further channels, how much the images of a group differ (arXiv 1710.10196, section 3).

    Members of a group lie N / group apart. Raises ValueError unless N is a whole number of groups.
    """
    n, c, h, w = x.shape
    group = min(group or n, n)
    if n % group:
        raise ValueError(f"{n} images cannot be divided into groups of {group} for minibatch-std")
    members = x.reshape(group, n // group, channels, c // channels, h, w)
    deviation = (members.var(0, correction=0) + 1e-8).sqrt().mean((2, 3, 4))  # [N / group, channels]
    planes = deviation.repeat(group, 1)[:, :, None, None].expand(-1, -1, h, w)
    return torch.cat([x, planes], dim=1)


class Discriminator(nn.Module):
    """Images [N, channels, size, size] and, if conditional, c [N, classes] -> logits [N, 1], fp32.

    Several equal `batches`, one behind the other, are judged at once, and minibatch-std sees each by itself.
    """

    def __init__(self, architecture: Architecture):
        super().__init__()
        self.architecture = architecture
        self.resolutions = architecture.resolutions[:0:-1]
        layers = 0
        for resolution in self.resolutions:
            block = DiscriminatorBlock(resolution, architecture, layers)
            layers += block.layers
            self.add_module(f"b{resolution}", block)
        if architecture.classes:
            self.mapping = ConditionMapping(
                architecture.classes,
                architecture.channels_at(4),
                architecture.d_mapping_layers,
                architecture.d_mapping_lr,
            )
        self.b4 = LastBlock(architecture)

    def forward(self, images: Tensor, c: Tensor | None = None, batches: int = 1) -> Tensor:
        x: Tensor | None = None
        image: Tensor | None = images
        for resolution in self.resolutions:
            x, image = getattr(self, f"b{resolution}")(x, image)
        assert x is not None
        logits = self.b4(x, image, batches)
        if self.architecture.classes:  # projection (arXiv 1802.05637)
            towards = self.mapping(c)
            logits = (logits * towards).sum(1, keepdim=True) / sqrt(towards.shape[1])
        return logits
