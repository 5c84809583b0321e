"""The participant's side: trains and evaluates on its own share of the data."""

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from quickstart_digits.task import evaluate, load_partition, train

app = ClientApp()


def _share(context: Context):
    config = context.node_config
    missing = [key for key in ("partition-id", "num-partitions") if key not in config]
    if missing:
        raise ValueError(f"the SuperNode's --node-config lacks {' and '.join(missing)}")
    return load_partition(int(config["partition-id"]), int(config["num-partitions"]))


@app.train()
def train_share(message: Message, context: Context) -> Message:
    """Train on the own share, starting from the weights that came."""
    samples, labels = _share(context)
    config = context.run_config
    weights = train(
        message.content["arrays"].to_numpy_ndarrays(),
        samples,
        labels,
        epochs=int(config["local-epochs"]),
        learning_rate=float(config["learning-rate"]),
        batch_size=int(config["batch-size"]),
        optimizer=str(config["optimizer"]),
        shuffle=bool(config["shuffle"]),
        seed=int(message.content["config"]["server-round"]),
    )
    loss, accuracy = evaluate(weights, samples, labels)
    metrics = MetricRecord({"train_loss": loss, "train_accuracy": accuracy, "num-examples": len(labels)})
    return Message(RecordDict({"arrays": ArrayRecord(weights), "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate_share(message: Message, context: Context) -> Message:
    """Evaluate the weights that came on the own share."""
    samples, labels = _share(context)
    loss, accuracy = evaluate(message.content["arrays"].to_numpy_ndarrays(), samples, labels)
    metrics = MetricRecord({"eval_loss": loss, "eval_accuracy": accuracy, "num-examples": len(labels)})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
