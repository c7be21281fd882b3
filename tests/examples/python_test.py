"""The estimators of examples/python, and what they share with C++ programs. Run by python_test.sh."""

import json
import os
import pathlib
import pickle
import struct
import subprocess
import sys
import threading
import time
import tracemalloc

import altmin
import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.utils.estimator_checks import parametrize_with_checks

EXAMPLES = pathlib.Path(os.environ["ALTMIN_EXAMPLES_DIR"])
ALGORITHMS = ["am_adam", "am_mem", "am_recursive", "adam", "sgd"]


def estimators():
    for algorithm in ALGORITHMS:
        yield altmin.Classifier(algorithm=algorithm, threads=1)
        options = {"learning_rate": 0.01} if algorithm == "sgd" else None
        yield altmin.Regressor(algorithm=algorithm, options=options, threads=1)


@pytest.mark.filterwarnings("ignore:.*steps failed")  # at the large targets of some checks
@parametrize_with_checks(list(estimators()))
def test_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    """8 x 8 images of ten digits: train and test."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X.astype(np.float32), y, random_state=0)
    return X_train, y_train, X_test, y_test


@pytest.mark.parametrize("algorithm", altmin.algorithms)
def test_digits(algorithm, digits):
    X, y, X_test, y_test = digits
    model = altmin.Classifier(algorithm=algorithm, epochs=10, random_state=1).fit(X, y)
    assert model.score(X_test, y_test) > (0.85 if algorithm == "am_mem_descent" else 0.93)
    proba = model.predict_proba(X_test)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert (model.classes_[proba.argmax(axis=1)] == model.predict(X_test)).all()


@pytest.mark.parametrize("algorithm", ["am_adam", "am_mem", "adam"])
def test_regression_without_a_hidden_layer_is_least_squares(algorithm):
    X, y = load_diabetes(return_X_y=True)
    y = np.stack([(y - y.mean()) / y.std(), X[:, 2] * 10], axis=1)  # two outputs, one of them linear
    options = {"learning_rate": 0.01} | ({"output_learning_rate": 0.01} if algorithm != "adam" else {})
    model = altmin.Regressor((), algorithm, options=options, epochs=200, random_state=1).fit(X, y)
    with_ones = np.hstack([X, np.ones((len(X), 1))])
    best = with_ones @ np.linalg.lstsq(with_ones, y, rcond=None)[0]
    assert np.abs(model.predict(X) - best).max() < 0.1


def test_stream(digits):
    """Samples one by one are what a pass over them is, and the network learns."""
    X, y, X_test, y_test = digits
    one = altmin.Classifier(algorithm="am_recursive", random_state=1)
    one.partial_fit(X[:1], y[:1], classes=range(10))
    right = 0
    for i in range(1, len(X)):
        right += one.predict_one(X[i]) == y[i]
        one.learn_one(X[i], y[i])
    assert right > 0.85 * len(X)
    whole = altmin.Classifier(algorithm="am_recursive", random_state=1).partial_fit(X, y)
    assert (one.predict_proba(X_test) == whole.predict_proba(X_test)).all()
    assert one.network_.steps == len(X)


def test_grid_search(digits):
    X, y, _, _ = digits
    grid = {"hidden": [(1,), (50,)], "options": [{"learning_rate": 1e-9}, {"learning_rate": 0.003}]}
    search = GridSearchCV(altmin.Classifier(algorithm="adam", epochs=5, random_state=1), grid, cv=3).fit(X, y)
    assert search.best_params_ == {"hidden": (50,), "options": {"learning_rate": 0.003}}


def test_bad_input_is_a_value_error_and_changes_nothing(digits):
    X, y, _, _ = digits
    net = altmin.Network(64, [20], 10, seed=1)
    labels = y.astype(np.int32)
    net.step(X, labels)
    before = pickle.dumps(net)
    bad = X.copy()
    bad[7, 3] = np.nan
    for x, target, message in [
        (bad, labels, "samples: feature 3 of sample 7 is not finite"),
        (X[:, :63], labels, "samples: expected 64 features"),
        (X, labels[:-1], "target: expected 1347 samples, got 1346"),
        (X, labels + 1, "label 10|expected a label|0 .. 9"),
        (X[0], labels, "samples: expected an array of 2 dimensions"),
        (X, labels[:, None], "labels: expected an array of 1 dimension"),
        (X, X, "SoftmaxCrossEntropy"),
    ]:
        with pytest.raises(altmin.Error, match=message) as error:
            net.step(x, target)
        assert isinstance(error.value, ValueError)
    with pytest.raises(TypeError):
        net.step(X, "labels")
    assert pickle.dumps(net) == before

    for parameters, message in [
        ({"algorithm": "magic"}, "algorithm: expected one of am_adam, .*, got 'magic'"),
        ({"activation": "magic"}, "activation: expected relu, .*, got 'magic'"),
        ({"options": {"magic": 1}}, "AmAdam.*magic"),
        ({"options": {"mu": -1}}, "AmAdam: mu must be above 0, got -1"),
        ({"options": {"mu": "much"}}, "AmAdam.mu: expected a number"),
        ({"hidden": (0,)}, "Dense"),
        ({"schedule": "magic"}, "schedule: expected 'cosine' or 'constant', got 'magic'"),
        ({"epochs": 0}, "epochs: expected at least 1, got 0"),
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"threads": -1}, "threads must be 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            altmin.Classifier(**parameters).fit(X, y)

    model = altmin.Classifier().partial_fit(X, y)
    with pytest.raises(ValueError, match="y: expected one of the classes .*, got 10"):
        model.partial_fit(X, y + 1)
    with pytest.raises(ValueError, match="classes: expected those of the first call"):
        model.partial_fit(X, y, classes=range(11))


def test_a_failed_step_warns(digits):
    X, y, _, _ = digits
    with pytest.warns(RuntimeWarning, match="of .* steps failed: "):
        altmin.Classifier(algorithm="sgd", options={"learning_rate": 1e30}, epochs=1, random_state=1).fit(X, y)


def test_float32_in_c_order_is_not_copied():
    X = np.random.RandomState(0).rand(50000, 200).astype(np.float32)  # 40 MB
    y = np.zeros(len(X), np.int32)
    net = altmin.Network(200, [2], 2, algorithm="sgd")

    def allocated(call):
        """The most that numpy has held during a call."""
        tracemalloc.start()
        call()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    assert allocated(lambda: net.step(X, y)) < 10000
    assert allocated(lambda: net.predict(X)) < 10000
    assert allocated(lambda: net.step(np.asfortranarray(X), y)) > X.nbytes
    assert allocated(lambda: net.step(X[:, :].astype(np.float64), y)) > 2 * X.nbytes


def test_a_step_releases_the_lock_of_the_interpreter():
    """While a step runs, another thread does, though the interpreter takes its lock from none."""
    X = np.random.RandomState(0).rand(20000, 300).astype(np.float32)
    y = np.zeros(len(X), np.int32)
    net = altmin.Network(300, [200], 2, algorithm="adam")
    net.set_threads(1)
    count = 0
    done = False

    def run():
        nonlocal count
        while not done:
            count += 1
            time.sleep(0)  # gives the lock away

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1000)
    try:
        thread = threading.Thread(target=run)
        thread.start()
        counts = []
        for call in (lambda: net.step(X, y), lambda: net.predict(X), lambda: sum(range(100000))):
            before = count
            call()
            counts.append(count - before)
    finally:
        sys.setswitchinterval(interval)
        done = True
        thread.join()
    assert counts[0] > 0
    assert counts[1] > 0
    assert counts[2] == 0  # pure Python: nothing else runs


def test_a_pickle_keeps_the_number_of_threads(digits):
    model = altmin.Classifier(threads=1, epochs=1).fit(*digits[:2])
    assert model.network_.threads == 1
    assert pickle.loads(pickle.dumps(model)).network_.threads == 1


def test_threads_of_python_take_turns(digits):
    X, y, _, _ = digits
    net = altmin.Network(64, [30], 10, seed=1)

    def run():
        for _ in range(50):
            assert net.step(X, y.astype(np.int32))
            net.predict(X)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    alone = altmin.Network(64, [30], 10, seed=1)
    for _ in range(200):
        alone.step(X, y.astype(np.int32))
    assert pickle.dumps(net) == pickle.dumps(alone)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_saved_estimator_continues_to_the_same_bits(algorithm, digits, tmp_path):
    X, y, X_test, _ = digits
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])
    model = altmin.Classifier(hidden=(20,), algorithm=algorithm, random_state=1)
    model.partial_fit(X[:64], names[y[:64]], classes=names)
    path = tmp_path / "model.safetensors"
    model.save(path)
    copies = [altmin.Classifier.load(path), pickle.loads(pickle.dumps(model))]
    for copy in copies:
        assert copy.get_params() == model.get_params()
        assert (copy.classes_ == model.classes_).all()
        for part in (slice(64, 128), slice(128, 129)):
            model_after = pickle.loads(pickle.dumps(model))
            model_after.partial_fit(X[part], names[y[part]])
            copy_after = pickle.loads(pickle.dumps(copy))
            copy_after.partial_fit(X[part], names[y[part]])
            assert (copy_after.predict_proba(X_test) == model_after.predict_proba(X_test)).all()
            assert pickle.dumps(copy_after.network_) == pickle.dumps(model_after.network_)


def test_files_that_are_refused(digits, tmp_path):
    X, y, _, _ = digits
    model = altmin.Classifier(hidden=(5,), epochs=1).fit(X, y)
    path = tmp_path / "model.safetensors"
    model.save(path)
    with pytest.raises(ValueError, match="expected a Regressor, got a Classifier"):
        altmin.Regressor.load(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(altmin.Error, match="model.safetensors: "):
        altmin.Classifier.load(path)
    with pytest.raises(altmin.Error, match="nowhere"):
        model.save(tmp_path / "nowhere" / "model.safetensors")


def outputs_of_cxx(path, X):
    """What the C++ program examples/python/predict.cpp computes by a model file."""
    text = "\n".join(" ".join(repr(float(value)) for value in row) for row in X)
    result = subprocess.run([EXAMPLES / "python" / "predict", path], input=text, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return np.array([line.split() for line in result.stdout.splitlines()], np.float32)


@pytest.mark.parametrize("batch_norm", [False, True])
def test_cxx_predicts_by_a_model_of_python(batch_norm, digits, tmp_path):
    X, y, X_test, _ = digits
    model = altmin.Classifier(hidden=(30, 20), activation="tanh", batch_norm=batch_norm, epochs=3).fit(X, y)
    path = tmp_path / "model.safetensors"
    model.save(path)
    assert (outputs_of_cxx(path, X_test) == model.network_.predict(X_test)).all()


def test_the_python_of_the_page_runs(digits, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y, X_test, _ = digits
    page = (pathlib.Path(__file__).parents[2] / "docs" / "python.md").read_text()
    names = {"X": X, "y": y, "X_test": X_test}
    exec(page.split("```python\n")[1].split("```")[0], names)
    loaded = altmin.Classifier.load("model.safetensors")
    assert (loaded.predict(X_test) == names["model"].predict(X_test)).all()
    assert names["stream"].network_.steps == len(X)


def test_the_example_runs():
    command = [sys.executable, EXAMPLES / "python" / "digits.py"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    accuracies = [float(line.split()[-1]) for line in result.stdout.splitlines()]
    assert len(accuracies) == 3 and min(accuracies) > 0.9


def write_idx(path, array):
    path.write_bytes(struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes())


def test_python_predicts_by_a_model_of_cxx(digits, tmp_path):
    """The trainer `mnist`, on these digits."""
    X, y, X_test, y_test = digits
    for part, images, labels in [("train", X, y), ("t10k", X_test, y_test)]:
        write_idx(tmp_path / f"{part}-images-idx3-ubyte", (15 * images).astype(np.uint8).reshape(-1, 8, 8))
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte", labels.astype(np.uint8))
    path = tmp_path / "model.safetensors"
    command = [EXAMPLES / "mnist", "--data", tmp_path, "--hidden", "30", "--epochs", "3", "--batch", "32", "--quiet"]
    result = subprocess.run([*command, "--save", path], capture_output=True, text=True, check=True)

    model = altmin.Classifier.load(path)
    X_test = ((15 * X_test / 255 - np.float32(0.1307)) / np.float32(0.3081)).astype(np.float32)
    assert (outputs_of_cxx(path, X_test) == model.network_.predict(X_test)).all()
    accuracy = json.loads(result.stdout.splitlines()[-1])["test_accuracy"]
    assert model.score(X_test, y_test) == pytest.approx(accuracy, abs=1e-6)
    steps = model.network_.steps
    assert steps > 0
    model.partial_fit(X_test[:32], y_test[:32])
    assert model.network_.steps == steps + 1
