#!/usr/bin/env python3
"""load_in_pytorch.py MODEL SAMPLES.npy [PREDICTIONS.npy]: predicts by a model of altmin's, one sample a row.

The state_dict() that a file holds loads into torch.nn.Sequential of the same layers:
    model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in state_dict(path).items()})
(the package `safetensors` reads such files, too). Here numpy alone predicts, by most layers of the library.
"""
import json
import sys

import numpy as np

TYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "U64": "<u8", "BOOL": "?"}


def read(path):
    """All tensors of a safetensors file by name, and the texts in its header."""
    data = open(path, "rb").read()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    notes = header.pop("__metadata__", {})
    part = lambda tensor: data[start + tensor["data_offsets"][0] : start + tensor["data_offsets"][1]]
    array = lambda tensor: np.frombuffer(part(tensor), TYPES[tensor["dtype"]]).reshape(tensor["shape"])
    return {name: array(tensor) for name, tensor in header.items()}, notes


def state_dict(path):
    """What the layers have learned, without what a checkpoint has besides."""
    return {name: array for name, array in read(path)[0].items() if name[0].isdigit()}


def windows(x, kernel, stride, padding=(0, 0)):
    """What a window sees at each position: samples x channels x positions down x across x its own height x width."""
    x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    seen = np.lib.stride_tricks.sliding_window_view(x, kernel, (2, 3))
    return seen[:, :, :: stride[0], :: stride[1]]


def recurrent(x, own, activation):
    """The pre-activations of all steps of a sequence, samples x 1 x steps x units."""
    steps, state = [], 0
    for t in range(x.shape[2]):
        steps.append(x[:, 0, t] @ own("weight_ih").T + own("bias_ih") + (state @ own("weight_hh").T if t else 0))
        state = activation(steps[-1])
    return np.stack(steps, 1)[:, None]


def predict(path, x):
    """The outputs of the network, samples x outputs."""
    weights, notes = read(path)
    network = json.loads(notes["network"])
    elementwise = {"Relu": lambda x: np.maximum(x, 0), "Tanh": np.tanh, "Sign": lambda x: np.where(x > 0, 1, -1),
                   "Sigmoid": lambda x: 1 / (1 + np.exp(-x)), "Identity": lambda x: x, "Dropout": lambda x: x}
    x = x.reshape(-1, *network["input"])  # samples x channels x height x width, all along
    block, above_map = x, False  # the input of the block, which a Skip adds; whether only normalizations follow its map
    for i, layer in enumerate(network["layers"]):
        kind, options = layer["type"], layer["options"]
        if above_map and kind not in ("BatchNorm", "Skip"):
            block, above_map = x, False
        above_map = above_map or kind in ("Dense", "Conv2d", "Recurrent")
        own = lambda name, default=0: weights.get(f"{i}.{name}", default)
        size = lambda name: (options[name]["height"], options[name]["width"])
        if kind == "Dense":
            x = (x.reshape(len(x), -1) @ own("weight").T + own("bias"))[:, :, None, None]
        elif kind == "Conv2d":
            x = np.einsum("ncyxrs,ocrs->noyx", windows(x, size("kernel"), size("stride"), size("padding")), own("weight"))
            x = x + np.reshape(own("bias"), (-1, 1, 1))
        elif kind in ("MaxPool2d", "AvgPool2d"):
            seen = windows(x, size("kernel"), size("stride" if options["stride"] else "kernel"))
            x = seen.max((4, 5)) if kind == "MaxPool2d" else seen.mean((4, 5))
        elif kind == "Recurrent":
            x = recurrent(x, own, elementwise[options["nonlinearity"].capitalize()])
        elif kind == "LastStep":
            x = x[:, 0, -1][:, :, None, None]
        elif kind == "BatchNorm":
            scale = own("weight") / np.sqrt(own("running_var") + options["epsilon"])
            x = (x - own("running_mean")[:, None, None]) * scale[:, None, None] + own("bias")[:, None, None]
        elif kind == "Standardize":
            values = max(own("count") * x[0].size // own("mean").size, 1)
            variance = own("squares") / values
            each = (-1, 1, 1) if options["by_channel"] else x.shape[1:]
            x = (x - own("mean").reshape(each)) / np.sqrt(np.where(variance > 0, variance, 1)).reshape(each)
        elif kind == "Skip":
            block, above_map = block + options["branch"] * x, False
            x = block
        elif kind == "LeakyRelu":
            x = np.where(x > 0, x, options["slope"] * x)
        elif kind in elementwise:
            x = elementwise[kind](x)
        else:
            raise ValueError(f"layer {i}: cannot predict by {kind}")
    return x.reshape(len(x), -1)


if __name__ == "__main__":
    outputs = predict(sys.argv[1], np.load(sys.argv[2]))
    np.save(sys.argv[3], outputs) if len(sys.argv) > 3 else print(outputs)
