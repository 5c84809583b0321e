"""The data, the model and its training: nothing here knows Flower."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

CLASSES = 10
HIDDEN = 32
SEED = 7
TEST_SHARE = 0.2

Weights = list[np.ndarray]


def load_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's bundled digits: 1797 rows of 64 pixels from 0 to 16, and what they show.

    The file is read without importing scikit-learn, which takes longer than training on it.
    """
    spec = find_spec("sklearn")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
    table = np.loadtxt(Path(spec.submodule_search_locations[0], "datasets", "data", "digits.csv.gz"), delimiter=",")
    return table[:, :64], table[:, 64].astype(np.int64)


def load_split() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Return (training, held-out) samples and labels, the same on every machine."""
    samples, labels = load_digits()
    samples = samples / 16.0
    order = np.random.default_rng(SEED).permutation(len(labels))
    cut = int(len(labels) * TEST_SHARE)
    test, train = order[:cut], order[cut:]
    return (samples[train], labels[train]), (samples[test], labels[test])


def load_partition(partition_id: int, num_partitions: int) -> tuple[np.ndarray, np.ndarray]:
    """Return one participant's own share of the training samples; shares do not overlap."""
    if num_partitions < 1:
        raise ValueError(f"num-partitions is {num_partitions}, but there is at least 1")
    if not 0 <= partition_id < num_partitions:
        raise ValueError(
            f"partition-id is {partition_id}, but with num-partitions={num_partitions} it is 0 to {num_partitions - 1}"
        )
    (samples, labels), _ = load_split()
    own = slice(partition_id, None, num_partitions)
    if len(labels[own]) == 0:
        raise ValueError(f"{num_partitions} partitions are more than there are samples")
    return samples[own], labels[own]


def initial_weights() -> Weights:
    """Return untrained weights: their accuracy is that of guessing."""
    rng = np.random.default_rng(SEED)
    first = rng.normal(0.0, np.sqrt(2.0 / 64), (64, HIDDEN))
    # Zero output weights: every class is equally likely at first.
    return [first, np.zeros(HIDDEN), np.zeros((HIDDEN, CLASSES)), np.zeros(CLASSES)]


def _forward(weights: Weights, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    hidden = np.maximum(samples @ weights[0] + weights[1], 0.0)
    logits = hidden @ weights[2] + weights[3]
    logits -= logits.max(axis=1, keepdims=True)
    odds = np.exp(logits)
    return hidden, odds / odds.sum(axis=1, keepdims=True)


def evaluate(weights: Weights, samples: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Return (loss, accuracy); the loss is the mean cross-entropy in nats."""
    _, odds = _forward(weights, samples)
    picked = odds[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(picked, 1e-12)).mean()), float((odds.argmax(axis=1) == labels).mean())


def _gradients(weights: Weights, samples: np.ndarray, labels: np.ndarray) -> Weights:
    hidden, odds = _forward(weights, samples)
    odds[np.arange(len(labels)), labels] -= 1.0
    odds /= len(labels)
    back = (odds @ weights[2].T) * (hidden > 0.0)
    return [samples.T @ back, back.sum(axis=0), hidden.T @ odds, odds.sum(axis=0)]


def train(
    weights: Weights,
    samples: np.ndarray,
    labels: np.ndarray,
    *,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    optimizer: str,
    shuffle: bool,
    seed: int,
) -> Weights:
    """Return the weights after some epochs of stochastic gradient descent."""
    if optimizer not in ("sgd", "momentum"):
        raise ValueError(f"optimizer is {optimizer!r}, but it is 'sgd' or 'momentum'")
    weights = [w.copy() for w in weights]
    speed = [np.zeros_like(w) for w in weights]
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(labels)) if shuffle else np.arange(len(labels))
        for start in range(0, len(order), batch_size):
            pick = order[start : start + batch_size]
            for i, gradient in enumerate(_gradients(weights, samples[pick], labels[pick])):
                if optimizer == "momentum":
                    speed[i] = 0.9 * speed[i] + 0.1 * gradient
                    gradient = speed[i]
                weights[i] -= learning_rate * gradient
    return weights
