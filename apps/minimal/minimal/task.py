"""The data, the model and its training: nothing here knows Flower."""

import numpy as np

Weights = list[np.ndarray]

TRUE_WEIGHTS = np.array([2.0, -1.0, 0.5])


def load_partition(partition_id: int, num_partitions: int) -> tuple[np.ndarray, np.ndarray]:
    """Return one participant's own samples and targets. Replace this with your data."""
    rng = np.random.default_rng(1000 * num_partitions + partition_id)
    samples = rng.normal(size=(100, len(TRUE_WEIGHTS)))
    return samples, samples @ TRUE_WEIGHTS + rng.normal(scale=0.1, size=100)


def initial_weights() -> Weights:
    """Return untrained weights."""
    return [np.zeros(len(TRUE_WEIGHTS))]


def train(weights: Weights, samples: np.ndarray, targets: np.ndarray, epochs: int, learning_rate: float) -> Weights:
    """Return weights after some steps of gradient descent."""
    w = weights[0].copy()
    for _ in range(epochs):
        w -= learning_rate * 2 * samples.T @ (samples @ w - targets) / len(targets)
    return [w]


def evaluate(weights: Weights, samples: np.ndarray, targets: np.ndarray) -> float:
    """Return the mean squared error."""
    return float(np.mean((samples @ weights[0] - targets) ** 2))
