#!/usr/bin/env python3
"""load_in_pytorch.py MODEL SAMPLES.npy [PREDICTIONS.npy]: predicts by a model of altmin's, one sample a row.

The state_dict() that a file holds loads into torch.nn.Sequential of the same layers:
    model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in state_dict(path).items()})
(the package `safetensors` reads such files, too). Here numpy alone predicts, for Dense, BatchNorm, Relu and Dropout.
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


def predict(path, x):
    """The outputs of the network, samples x outputs."""
    weights, notes = read(path)
    for i, layer in enumerate(json.loads(notes["network"])["layers"]):
        own = lambda name, default=0: weights.get(f"{i}.{name}", default)
        if layer["type"] == "Dense":
            x = x @ own("weight").T + own("bias")
        elif layer["type"] == "BatchNorm":
            scale = own("weight") / np.sqrt(own("running_var") + layer["options"]["epsilon"])
            x = (x - own("running_mean")) * scale + own("bias")
        elif layer["type"] == "Relu":
            x = np.maximum(x, 0)
        elif layer["type"] != "Dropout":
            raise ValueError(f"layer {i}: cannot predict by {layer['type']}")
    return x


if __name__ == "__main__":
    outputs = predict(sys.argv[1], np.load(sys.argv[2]))
    np.save(sys.argv[3], outputs) if len(sys.argv) > 3 else print(outputs)
