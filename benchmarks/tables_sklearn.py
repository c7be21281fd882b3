#!/usr/bin/env python3
"""Compares the trainer `table` with scikit-learn's MLPClassifier and MLPRegressor, two hidden layers of 64, on the
tables that scikit-learn brings (Debian: python3-sklearn): the same splits, repeated 5-fold, raw rows in CSV files.

    benchmarks/tables_sklearn.py build/release/examples/table [repeats] [table's flags...]

Both standardize features and numeric targets, and run with their default options. Prints, for each table, the mean
accuracy (or R2) of both, and their mean difference with two standard errors over the folds."""

import csv
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.compose import TransformedTargetRegressor
from sklearn.metrics import r2_score
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

HIDDEN = (64, 64)


def write(path, x, y):
    """Writes a table with a header, whose last column is the target; numbers read back exactly."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow([f"x{i}" for i in range(x.shape[1])] + ["y"])
        for features, target in zip(x.tolist(), y):
            rows.writerow([repr(number) for number in features] + [target])


def answer(command):
    """Runs a command, and returns the line of JSON that it ends with."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def altmin_score(table, folder, train, test, regression, seed, flags):
    """Accuracy or R2 of the trainer, by two commands."""
    files = [str(folder / name) for name in ("train.csv", "test.csv", "model.safetensors")]
    write(files[0], *train)
    write(files[1], *test)
    hidden = ",".join(str(units) for units in HIDDEN)
    command = [table, "--data", files[0], "--target", "y", "--hidden", hidden, "--test-every", "0", "--quiet"]
    answer(command + ["--seed", str(seed), "--save", files[2]] + (["--regression"] if regression else []) + flags)
    result = answer([table, "--resume", files[2], "--evaluate", files[1], "--quiet"])
    return result["r2" if regression else "accuracy"]


def sklearn_score(train, test, regression, seed):
    """The same of scikit-learn."""
    if regression:
        network = MLPRegressor(HIDDEN, random_state=seed)
        model = TransformedTargetRegressor(make_pipeline(StandardScaler(), network), transformer=StandardScaler())
    else:
        model = make_pipeline(StandardScaler(), MLPClassifier(HIDDEN, random_state=seed))
    model.fit(*train)
    found = model.predict(test[0])
    return r2_score(test[1], found) if regression else float(np.mean(found == test[1]))


def main():
    """Prints a line for each table."""
    table, repeats, flags = sys.argv[1], int((sys.argv[2:3] or ["2"])[0]), sys.argv[3:]
    warnings.filterwarnings("ignore")  # the default of 200 epochs may be too few to converge
    for name in ("iris", "wine", "breast_cancer", "digits", "diabetes"):
        options = {"scaled": False} if name == "diabetes" else {}
        data = getattr(datasets, f"load_{name}")(**options)
        regression = name == "diabetes"
        y = data.target if regression else np.array([f"class {label}" for label in data.target])
        splits = (RepeatedKFold if regression else RepeatedStratifiedKFold)(n_splits=5, n_repeats=repeats, random_state=1)
        scores = []
        with tempfile.TemporaryDirectory() as folder:
            for seed, (train, test) in enumerate(splits.split(data.data, y)):
                parts = ((data.data[train], y[train]), (data.data[test], y[test]))
                ours = altmin_score(table, Path(folder), *parts, regression, seed, flags)
                scores.append((ours, sklearn_score(*parts, regression, seed)))
        ours, theirs = np.array(scores).T
        error = (ours - theirs).std(ddof=1) / np.sqrt(len(scores))
        print(f"{name:14} {'R2' if regression else 'accuracy':8}  table {ours.mean():.4f}  sklearn {theirs.mean():.4f}  "
              f"difference {(ours - theirs).mean():+.4f} +- {2 * error:.4f}", flush=True)


if __name__ == "__main__":
    main()
