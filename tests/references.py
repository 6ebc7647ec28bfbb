"""Recurrent layers in NumPy, step by step from their definitions."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def numpy_lstm(layer, x):
    """One LSTM layer over one sequence (T, I), gate by gate."""
    w_ih, w_hh, bias = (
        array.detach().double().numpy() for array in (layer.weight_ih, layer.weight_hh, layer.bias_ih + layer.bias_hh)
    )
    h = c = np.zeros(layer.hidden_dim)
    outputs = []
    for step in x:
        i, f, g, o = np.split(w_ih @ step + w_hh @ h + bias, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        outputs.append(h)
    return np.array(outputs)


def numpy_qrnn(layer, x, hidden, last):
    """One document, x (T, input), step by step from the definition."""
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    outputs = []
    for step in x:
        window = np.concatenate([step, last]) if layer.window == 2 else step
        z, f, o = np.split(weight @ window + bias, 3)
        hidden = sigmoid(f) * np.tanh(z) + (1 - sigmoid(f)) * hidden
        outputs.append(sigmoid(o) * hidden)
        last = step
    return np.array(outputs), hidden
