"""Metrics read from what Keras 2 and 3 print."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_gridgpu.worker.metrics.keras_output import KerasOutput
from jupyter_gridgpu.worker.metrics.lines import TerminalLines


def epochs_of(text: str) -> list[dict[str, float]]:
    keras, lines = KerasOutput(), TerminalLines()
    return [found for line in lines.feed(text) if (found := keras.read_line(line)) is not None]


KERAS_3 = (
    "Epoch 1/2\n"
    "\x1b[1m 1/32\x1b[0m \x1b[37m━━━━\x1b[0m \x1b[1m17s\x1b[0m 550ms/step"
    " - accuracy: 0.4062 - loss: 0.7012"
    "\r\x1b[1m32/32\x1b[0m \x1b[32m━━━━\x1b[0m \x1b[1m1s\x1b[0m 5ms/step"
    " - accuracy: 0.5100 - loss: 0.6900"
    " - val_accuracy: 0.6000 - val_loss: 6.5000e-01\n"
    "Epoch 2/2\n\x1b[1m32/32\x1b[0m ━━ 0s 2ms/step"
    " - accuracy: 0.7 - loss: nan - val_accuracy: 1 - val_loss: inf\n"
)


def test_each_epoch_of_keras_3_is_read_once_with_its_last_values() -> None:
    first, second = epochs_of(KERAS_3)
    assert first == {
        "epoch": 1,
        "epochs": 2,
        "accuracy": 0.51,
        "loss": 0.69,
        "val_accuracy": 0.6,
        "val_loss": 0.65,
    }
    assert (second["epoch"], second["val_accuracy"], second["val_loss"]) == (2, 1.0, math.inf)
    assert math.isnan(second["loss"])


def test_the_one_line_of_verbose_2_is_read() -> None:
    text = (
        "Epoch 3/20\n32/32 - 1s - 20ms/step"
        " - accuracy: 0.50 - loss: -0.7e-3 - learning_rate: 1e-3\n"
    )
    assert epochs_of(text) == [
        {"epoch": 3, "epochs": 20, "accuracy": 0.5, "loss": -0.0007, "learning_rate": 0.001}
    ]


def test_keras_2_is_read() -> None:
    text = (
        "Epoch 1/1\n"
        + "10/20 [====>....] - ETA: 0s - loss: 0.9"
        + "\b" * 40
        + "\r20/20 [=======] - 1s 5ms/step - loss: 0.8\n"
    )
    assert epochs_of(text) == [{"epoch": 1, "epochs": 1, "loss": 0.8}]


@pytest.mark.parametrize(
    "text",
    [
        "32/32 - 0s - loss: 0.5\n",
        "Epoch 1/2\n",
        "Epoch 1/2\n10/32 - loss: 0.5\n",
        "Epoch 1/2\n32/32 - 1s 5ms/step\n",
        "my Epoch 1/2\n32/32 - loss: 1\n",
        "accuracy: 0.9 - loss: 0.5\n",
    ],
)
def test_what_ends_no_epoch_is_not_read(text: str) -> None:
    assert epochs_of(text) == []


def test_an_evaluation_after_the_fit_is_no_epoch() -> None:
    assert len(epochs_of(KERAS_3 + "32/32 ━━ 0s 2ms/step - accuracy: 0.1 - loss: 9\n")) == 2


@settings(max_examples=40)
@given(
    st.lists(
        st.text() | st.from_regex(r"Epoch \d+/\d+") | st.from_regex(r"\d+/\d+ - \w+: [-\d.e]+")
    )
)
def test_no_line_is_too_odd(lines: list[str]) -> None:
    keras = KerasOutput()
    for line in lines:
        keras.read_line(line)


@pytest.mark.parametrize(
    "line", ["Epoch " + "9" * 5000 + "/3", "Epoch 1/2", "3/3 - loss: " + "9" * 5000]
)
def test_numbers_of_thousands_of_digits_do_no_harm(line: str) -> None:
    keras = KerasOutput()
    keras.read_line("Epoch 1/3")
    keras.read_line(line)
    keras.read_line("3/3 - loss: 1")
