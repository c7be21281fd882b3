#!/usr/bin/env python3
"""Trains on scikit-learn's 8 x 8 images of digits: in batches, one by one, and from a file.

    build/release/examples/python/digits.py
"""

import tempfile

import altmin
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

X, y = load_digits(return_X_y=True)
X = X.astype(np.float32)  # samples x features; in this type and order batches are not copied
X, X_test, y, y_test = train_test_split(X, y, random_state=0)

model = altmin.Classifier(hidden=(100,), algorithm="am_mem", epochs=10, random_state=1).fit(X, y)
print("am_mem, 10 epochs of batches: accuracy", model.score(X_test, y_test))

stream = altmin.Classifier(hidden=(100,), algorithm="am_recursive", random_state=1)
stream.partial_fit(X[:1], y[:1], classes=range(10))
for sample, label in zip(X[1:], y[1:]):
    stream.learn_one(sample, label)
print("am_recursive, each sample once: accuracy", stream.score(X_test, y_test))

with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
    stream.save(file.name)  # C++: auto net = altmin::load_model<float>(path)
    print("the same from its file: accuracy", altmin.Classifier.load(file.name).score(X_test, y_test))
