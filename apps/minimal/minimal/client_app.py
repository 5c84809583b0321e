"""The participant's side: trains and evaluates on its own share of the data."""

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from minimal.task import evaluate, load_partition, train

app = ClientApp()


def _share(context: Context):
    return load_partition(int(context.node_config["partition-id"]), int(context.node_config["num-partitions"]))


@app.train()
def train_share(message: Message, context: Context) -> Message:
    """Train on the own share, starting from the weights that came."""
    samples, targets = _share(context)
    weights = train(
        message.content["arrays"].to_numpy_ndarrays(),
        samples,
        targets,
        epochs=int(context.run_config["local-epochs"]),
        learning_rate=float(context.run_config["learning-rate"]),
    )
    metrics = MetricRecord({"train_loss": evaluate(weights, samples, targets), "num-examples": len(targets)})
    return Message(RecordDict({"arrays": ArrayRecord(weights), "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate_share(message: Message, context: Context) -> Message:
    """Evaluate the weights that came on the own share."""
    samples, targets = _share(context)
    loss = evaluate(message.content["arrays"].to_numpy_ndarrays(), samples, targets)
    metrics = MetricRecord({"eval_loss": loss, "num-examples": len(targets)})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
