import tomllib
from pathlib import Path

import numpy as np
import pytest

from quickstart_digits import task

CONFIG = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["tool"]
RUN_CONFIG = CONFIG["flwr"]["app"]["config"]


def rows(samples):
    return {row.tobytes() for row in samples}


def settings(**changes):
    config = RUN_CONFIG | changes
    return {
        "epochs": config["local-epochs"],
        "learning_rate": config["learning-rate"],
        "batch_size": config["batch-size"],
        "optimizer": config["optimizer"],
        "shuffle": config["shuffle"],
    }


def federated(partitions, total, rounds, **changes):
    """Federated averaging as Flower does it, in one process; returns the central accuracy after each round."""
    _, (samples, labels) = task.load_split()
    weights = task.initial_weights()
    curve = [task.evaluate(weights, samples, labels)[1]]
    for server_round in range(1, rounds + 1):
        results = []
        for p in partitions:
            own = task.load_partition(p, total)
            results.append((len(own[1]), task.train(weights, *own, seed=server_round, **settings(**changes))))
        whole = sum(n for n, _ in results)
        weights = [sum(n * w[i] for n, w in results) / whole for i in range(len(weights))]
        curve.append(task.evaluate(weights, samples, labels)[1])
    return curve


def test_the_data_is_that_of_scikit_learn():
    from sklearn.datasets import load_digits

    samples, labels = load_digits(return_X_y=True)
    own_samples, own_labels = task.load_digits()
    assert np.array_equal(samples, own_samples)
    assert np.array_equal(labels, own_labels)


def test_partitions_cover_the_training_data_and_do_not_overlap():
    (samples, labels), _ = task.load_split()
    shares = [task.load_partition(p, 10) for p in range(10)]
    assert sum(len(y) for _, y in shares) == len(labels)
    seen = set()
    for x, _ in shares:
        assert not seen & rows(x)
        seen |= rows(x)
    assert seen == rows(samples)


def test_held_out_data_is_in_no_partition():
    (train, _), (test, _) = task.load_split()
    assert not rows(train) & rows(test)


def test_the_split_is_the_same_every_time():
    first, second = task.load_split(), task.load_split()
    assert np.array_equal(first[0][0], second[0][0])
    assert np.array_equal(first[1][1], second[1][1])


@pytest.mark.parametrize("partition, total", [(-1, 10), (10, 10), (0, 0), (3, -1)])
def test_an_impossible_partition_is_refused_by_name(partition, total):
    with pytest.raises(ValueError, match="partition"):
        task.load_partition(partition, total)


def test_more_partitions_than_samples_are_refused():
    with pytest.raises(ValueError, match="more than there are samples"):
        task.load_partition(5000, 10_000)


def test_untrained_accuracy_is_near_chance():
    _, (samples, labels) = task.load_split()
    loss, accuracy = task.evaluate(task.initial_weights(), samples, labels)
    assert 0.03 < accuracy < 0.2
    assert loss == pytest.approx(np.log(10))


def test_two_of_ten_participants_learn_past_085_in_the_default_rounds():
    curve = federated([0, 1], 10, RUN_CONFIG["num-server-rounds"])
    assert curve[0] < 0.2
    assert curve[-1] > 0.85


def test_training_leaves_the_given_weights_alone():
    weights = task.initial_weights()
    before = [w.copy() for w in weights]
    task.train(weights, *task.load_partition(0, 10), seed=1, **settings())
    assert all(np.array_equal(a, b) for a, b in zip(before, weights, strict=True))


def test_the_same_seed_gives_the_same_weights():
    own = task.load_partition(2, 10)
    first, second = (task.train(task.initial_weights(), *own, seed=3, **settings()) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    "changes",
    [{"optimizer": "momentum"}, {"shuffle": False}, {"local-epochs": 1}, {"batch-size": 64}, {"learning-rate": 0.01}],
)
def test_every_setting_changes_the_training(changes):
    own = task.load_partition(0, 10)
    usual = task.train(task.initial_weights(), *own, seed=1, **settings())
    changed = task.train(task.initial_weights(), *own, seed=1, **settings(**changes))
    assert any(not np.array_equal(a, b) for a, b in zip(usual, changed, strict=True))


def test_an_unknown_optimizer_is_refused():
    with pytest.raises(ValueError, match="optimizer"):
        task.train(task.initial_weights(), *task.load_partition(0, 10), seed=1, **settings(optimizer="adam"))


def test_the_form_table_fits_the_config():
    hints = CONFIG["blossomtune"]["config"]
    assert set(hints) == set(RUN_CONFIG)
    assert {type(v) for v in RUN_CONFIG.values()} == {int, float, str, bool}
    for key, hint in hints.items():
        value = RUN_CONFIG[key]
        assert hint["help"].endswith(".")
        assert value in hint.get("choices", [value])
        assert hint.get("min", value) <= value <= hint.get("max", value)
