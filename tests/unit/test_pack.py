"""Weights and parameters in words: every number once, in its lane, zeros elsewhere."""

from __future__ import annotations

import numpy as np

from cnnaccel.compiler.lower import pack
from tests.support import graphs
from tests.support.hardware import SMALL

WEIGHT = np.arange(1, 1 + 5 * 6 * 1 * 2).astype(np.int8).reshape(5, 6, 1, 2)


def test_channels_in_order() -> None:
    assert pack.in_order(5, 4).tolist() == [0, 1, 2, 3, 4, -1, -1, -1]
    assert pack.in_order(4, 4).tolist() == [0, 1, 2, 3]


def test_kernels_by_group_tap_and_word() -> None:
    inputs, outputs = pack.in_order(6, 4), pack.in_order(5, 8)
    words = pack.kernel_words(SMALL, WEIGHT, inputs, outputs)
    assert words.shape == (1 * 1 * 2 * 2, 8, 4)
    for kx in range(2):
        for ci in range(2):
            word = words[kx * 2 + ci]
            for k, c in np.ndindex(8, 4):
                channel = 4 * ci + c
                expected = WEIGHT[k, channel, 0, kx] if k < 5 and channel < 6 else 0
                assert word[k, c] == expected


def test_lanes_without_a_channel_are_zero() -> None:
    words = pack.kernel_words(SMALL, WEIGHT, [5, -1, -1, 0], pack.in_order(5, 8))
    assert not words[:, :, 1:3].any()
    assert np.array_equal(words[:, :5, 0], WEIGHT[:, 5, 0].T)
    assert np.array_equal(words[:, :5, 3], WEIGHT[:, 0, 0].T)


def test_unfolded_kernels_are_reversed() -> None:
    made = pack.unfolded_kernel(SMALL, WEIGHT[:, :3])
    assert made.shape == (5, 8, 1, 1)
    assert made[0, :, 0, 0].tolist() == [*WEIGHT[0, ::-1, 0, 1][-3:], *WEIGHT[0, 2::-1, 0, 0], 0, 0]


def test_depthwise_words_are_diagonal() -> None:
    weight = np.arange(1, 13).astype(np.int8).reshape(6, 1, 2)
    words = pack.depthwise_words(SMALL, weight, pack.in_order(6, 4))
    assert words.shape == (4, 8, 4)
    for number, (word, tap) in enumerate(np.ndindex(2, 2)):
        taps = [weight[4 * word + c, 0, tap] if 4 * word + c < 6 else 0 for c in range(4)]
        assert np.array_equal(words[number][:4], np.diag(taps)) and not words[number][4:].any()


def test_parameters_by_group() -> None:
    bias = np.array([7, 8, 9], np.int32)
    found = pack.parameter_words(SMALL, bias, graphs.requant(5, 3), [0, 2, -1, 1], 2)
    assert found["bias"].tolist() == [[7, 9, *[0] * 6], [0, 8, *[0] * 6]]
    assert found["multiplier"].tolist() == [[5, 5, *[0] * 6], [0, 5, *[0] * 6]]
    assert found["shift"].dtype == np.uint8 and found["shift"].tolist()[1][1] == 3
