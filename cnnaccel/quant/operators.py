"""The operators that the front end takes, what each becomes, and in which words it is refused.

`canonical` gets its handlers from `OPERATORS` and its refusals from `refused`; the page
docs/reference/operators.md is rendered from the same table. An operator that is not here is
refused with the advice of `REWRITES`.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch

aten: Any = torch.ops.aten


class Form(Enum):
    """The handler of an operator."""

    CONV2D = "conv2d"
    LINEAR = "linear"
    BATCH_NORM = "batch_norm"
    CLAMP = "clamp"
    MAX_POOL = "max_pool"
    AVG_POOL = "avg_pool"
    ADAPTIVE_AVG_POOL = "adaptive_avg_pool"
    MEAN = "mean"
    ADD = "add"
    CAT = "cat"
    PAD = "pad"
    IDENTITY = "identity"
    RESHAPE = "reshape"


@dataclass(frozen=True)
class Operator:
    """Operators of an exported model that one handler takes."""

    form: Form
    targets: tuple[Any, ...]
    written: str
    """The layers and functions of a model that lead to it, as Markdown."""
    becomes: str
    """The layers of the integer graph that come of it."""
    refusals: tuple[str, ...] = ()
    """The forms without a place on the engine, in the words of the error: reason; way out."""


CONSTANT = "computes on a constant; the engine computes on images"
PADDED = "zero padding can only go into a convolution or a pool"
RESHAPED = (
    "reads {made} as {wanted}; keep the layers of the model on N, C, H, W, and use x.flatten(1) "
    "before nn.Linear"
)
ACROSS_IMAGES = "computes over all images of a batch at once; compute the same for every image"
NO_LAST_LAYER = "the model's last step must be a layer that computes something"
BEHIND_HOST = (
    "reads what the host computes, and the engine has nothing behind the host; end the model "
    "before it, or replace the layer before it"
)
IMAGE_ON_HOST = "computes on the image before any layer does; put it into the data's normalisation"
COMPUTED_WEIGHTS = "its weights are computed; only constant weights have a place"
RESHAPES = (
    "reshapes {made} to {wanted}; use x.flatten(1), the only reshape the engine has a place for; "
    "to shuffle channels use an nn.Conv2d with kernel 1"
)
NOT_FLAT = "reads a tensor that is not flat; put nn.Flatten before it"
SINGLE_PIXELS = "normalises single pixels; put BatchNorm2d before the flatten"
OTHER_CLAMP = "clamps to {low}..{high}; use nn.ReLU or nn.ReLU6"
NEGATIVE_PADDED = "pads with zeros what may be negative; use the pool's own padding"
UNEVEN_DIVISOR = "divides by what depends on the position; use count_include_pad"
OWN_DIVISOR = "has a divisor of its own; leave divisor_override out"
BEYOND_EDGE = "has windows that reach beyond the edge; set ceil_mode=False"
UNEQUAL_WINDOWS = (
    "makes {wanted} from {made}, windows of unequal size; choose an output size that divides its "
    "input"
)
OTHER_MEAN = "averages over other than rows and columns; use dim=(2, 3)"
CONSTANT_ADDED = "adds a constant or a scaled operand; use a layer's bias"
UNEQUAL_SHAPES = (
    "adds {first}, made as {first_made}, and {second}, made as {second_made}; make the shapes "
    "equal before the addition"
)
OTHER_AXIS = "joins along other than channels; use torch.cat(..., dim=1)"
JOINS_RESHAPED = "joins reshaped tensors; use torch.cat(..., dim=1) before flatten"
OTHER_PADDING = "pads other than rows and columns with zeros; use nn.ZeroPad2d"

_READS = (CONSTANT, RESHAPED)
OPERATORS = (
    Operator(
        Form.CONV2D,
        (aten.conv2d.default, aten.conv2d.padding),
        "`nn.Conv2d`: any kernel, stride, padding (numbers, `same`, `valid`), dilation, groups",
        "`Conv2d`, or `Depthwise` where each output channel reads one input channel",
        (*_READS, COMPUTED_WEIGHTS),
    ),
    Operator(
        Form.LINEAR,
        (aten.linear.default,),
        "`nn.Linear` behind a flatten",
        "`Conv2d` whose kernel is its input",
        (NOT_FLAT, *_READS, PADDED, COMPUTED_WEIGHTS),
    ),
    Operator(
        Form.BATCH_NORM,
        (aten._native_batch_norm_legit_no_training.default,),
        "`nn.BatchNorm2d`",
        "nothing, where only it reads a convolution: it goes into weights and biases; on the "
        "image too; elsewhere a `Depthwise` of kernel 1",
        (*_READS, PADDED, COMPUTED_WEIGHTS, SINGLE_PIXELS),
    ),
    Operator(
        Form.CLAMP,
        (
            aten.relu.default,
            aten.relu6.default,
            aten.hardtanh.default,
            aten.clamp.default,
            aten.clamp_min.default,
        ),
        "`nn.ReLU`, `nn.ReLU6`, `nn.Hardtanh` and `torch.clamp` from 0 to a positive number",
        "nothing, where only it reads a layer that requantizes: it is the clamp of that layer; "
        "elsewhere a `Depthwise` of kernel 1",
        (CONSTANT, OTHER_CLAMP),
    ),
    Operator(
        Form.MAX_POOL,
        (aten.max_pool2d.default,),
        "`nn.MaxPool2d`: any kernel, stride, padding, dilation, `ceil_mode`",
        "`MaxPool2d`",
        (*_READS, NEGATIVE_PADDED),
    ),
    Operator(
        Form.AVG_POOL,
        (aten.avg_pool2d.default,),
        "`nn.AvgPool2d`",
        "`AvgPool2d`",
        (*_READS, UNEVEN_DIVISOR, OWN_DIVISOR, BEYOND_EDGE),
    ),
    Operator(
        Form.ADAPTIVE_AVG_POOL,
        (aten.adaptive_avg_pool2d.default,),
        "`nn.AdaptiveAvgPool2d`",
        "`AvgPool2d`",
        (*_READS, PADDED, UNEQUAL_WINDOWS),
    ),
    Operator(
        Form.MEAN,
        (aten.mean.dim,),
        "`x.mean((2, 3))`",
        "`AvgPool2d` over the whole image",
        (*_READS, PADDED, OTHER_MEAN),
    ),
    Operator(
        Form.ADD,
        (aten.add.Tensor,),
        "`a + b` of two tensors of one shape",
        "`Add`",
        (CONSTANT, PADDED, CONSTANT_ADDED, UNEQUAL_SHAPES),
    ),
    Operator(
        Form.CAT,
        (aten.cat.default,),
        "`torch.cat` along the channels",
        "`Concat`",
        (CONSTANT, PADDED, OTHER_AXIS, JOINS_RESHAPED),
    ),
    Operator(
        Form.PAD,
        (aten.pad.default, aten.constant_pad_nd.default),
        "`nn.ZeroPad2d`, `F.pad` with zeros",
        "the padding of the convolution or pool that reads it",
        (*_READS, OTHER_PADDING),
    ),
    Operator(
        Form.IDENTITY,
        (
            aten.clone.default,
            aten.alias.default,
            aten.detach.default,
            aten.contiguous.default,
            aten.dropout.default,
            operator.getitem,  # the first result of batch norm
        ),
        "`nn.Identity`, `nn.Dropout`, `x.clone()`, `x.detach()`, `x.contiguous()`",
        "nothing",
        (CONSTANT,),
    ),
    Operator(
        Form.RESHAPE,
        (
            aten.view.default,
            aten._unsafe_view.default,
            aten.reshape.default,
            aten.flatten.using_ints,
            aten.squeeze.default,
            aten.squeeze.dim,
            aten.squeeze.dims,
            aten.unsqueeze.default,
        ),
        "`nn.Flatten`, `x.flatten(1)`; `view`, `reshape`, `squeeze`, `unsqueeze` that do the same "
        "or move sizes of 1",
        "nothing",
        (CONSTANT, PADDED, RESHAPES),
    ),
)

REWRITES = {
    "silu gelu relu_* rrelu_* elu celu selu mish hardswish leaky_relu prelu softplus softsign tanh "
    "hardsigmoid log_sigmoid* abs exp pow sqrt": "use nn.ReLU or nn.ReLU6",
    "sigmoid softmax log_softmax": (
        "at the end of the model it is the host's; elsewhere use nn.ReLU6"
    ),
    "group_norm layer_norm native_group_norm native_layer_norm instance_norm rms_norm": (
        "use nn.BatchNorm2d"
    ),
    "native_batch_norm_legit": "use nn.BatchNorm2d(..., track_running_stats=True)",
    "weight_norm* linalg_*": "bake it in with torch.nn.utils.parametrize.remove_parametrizations",
    "conv1d conv3d *_pool1d *_pool3d": (
        "use the 2d layer, with 1 as the size of a missing dimension"
    ),
    "conv_transpose* upsample_* pixel_shuffle im2col col2im": "use strided nn.Conv2d layers only",
    "adaptive_max_pool2d": "use nn.MaxPool2d with an explicit kernel",
    "sum mean var* std*": "use nn.AdaptiveAvgPool2d over rows and columns",
    "mul div": (
        "a constant factor is an nn.BatchNorm2d; a product of two tensors has no replacement"
    ),
    "sub rsub": (
        "use addition, with the sign in the convolution before it; "
        "for a normalisation set data.mean and data.std"
    ),
    "matmul mm bmm addmm einsum scaled_dot_product_attention": (
        "use nn.Linear, with constant weights"
    ),
    "lstm gru rnn_* embedding": "use convolutions",
    "split* chunk unbind slice select narrow unsafe_split*": (
        "use one convolution for each part; all can read the whole tensor"
    ),
    "channel_shuffle": "use an nn.Conv2d with kernel 1, which mixes channels",
    "permute transpose t movedim": "keep N, C, H, W throughout",
    "stack": "use torch.cat(..., dim=1)",
    "expand repeat tile": "use nn.Conv2d to make further channels",
    "gt ge lt le eq ne where index index_* nonzero masked_* item cond argmax topk": (
        "compute the same for every image; decide on the logits, after the model"
    ),
    "copy": "leave buffers as they are in forward()",
    "rand* bernoulli native_dropout": "draw no random numbers outside nn.Dropout",
}
"""Advice by the names of operators without a place; `*` stands for any letters."""
