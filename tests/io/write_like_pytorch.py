#!/usr/bin/env python3
"""write_like_pytorch.py OUT.safetensors OUT.txt: what torch.save_file(model.state_dict()) would write of
nn.Sequential(Linear(5, 4), BatchNorm1d(4), ReLU(), Linear(4, 3)) in double, and its predictions, a sample a line."""
import json
import sys

import numpy as np

value = lambda *shape: np.arange(1, np.prod(shape) + 1).reshape(shape) % 7 / 4 - 0.75
state = {"0.weight": value(4, 5), "0.bias": value(4), "1.weight": value(4) + 2, "1.bias": value(4),
         "1.running_mean": value(4), "1.running_var": value(4) + 1, "1.num_batches_tracked": np.array(9),
         "3.weight": value(3, 4), "3.bias": value(3)}
header, data = {}, b""
for name, array in state.items():
    kind = "I64" if array.dtype.kind == "i" else "F64"
    header[name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": [len(data), len(data) + array.nbytes]}
    data += array.tobytes()
text = json.dumps(header, separators=(",", ":")).encode()
text += b" " * (-len(text) % 8)
open(sys.argv[1], "wb").write(len(text).to_bytes(8, "little") + text + data)

x = np.array([[0.25 * ((7 * i + 3 * t) % 11) - 1.25 for i in range(5)] for t in range(4)])
x = x @ state["0.weight"].T + state["0.bias"]
x = (x - state["1.running_mean"]) / np.sqrt(state["1.running_var"] + 1e-5) * state["1.weight"] + state["1.bias"]
x = np.maximum(x, 0) @ state["3.weight"].T + state["3.bias"]
np.savetxt(sys.argv[2], x, "%.9g")
