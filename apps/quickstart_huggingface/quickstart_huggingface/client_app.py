"""The participant's side: trains and evaluates on its own share of the reviews."""

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

from quickstart_huggingface.data import load_share
from quickstart_huggingface.model import evaluate, load_tokenizer, train, with_weights

app = ClientApp()


def _share(context: Context):
    node = context.node_config
    missing = [key for key in ("partition-id", "num-partitions") if key not in node]
    if missing:
        raise ValueError(f"the SuperNode's --node-config lacks {' and '.join(missing)}")
    return load_share(context.run_config, int(node["partition-id"]), int(node["num-partitions"]))


@app.train()
def train_share(message: Message, context: Context) -> Message:
    """Train on the own share, starting from the weights that came."""
    share, _ = _share(context)
    config = context.run_config
    model = with_weights(config, message.content["arrays"].to_torch_state_dict())
    server_round = int(message.content["config"]["server-round"])
    loss, accuracy = train(model, share, load_tokenizer(config), config, seed=server_round)
    metrics = MetricRecord({"train_loss": loss, "train_accuracy": accuracy, "num-examples": len(share)})
    return Message(RecordDict({"arrays": ArrayRecord(model.state_dict()), "metrics": metrics}), reply_to=message)


@app.evaluate()
def evaluate_share(message: Message, context: Context) -> Message:
    """Evaluate the weights that came on the part of the own share that is not trained on."""
    _, share = _share(context)
    config = context.run_config
    model = with_weights(config, message.content["arrays"].to_torch_state_dict())
    loss, accuracy = evaluate(model, share, load_tokenizer(config), config)
    metrics = MetricRecord({"eval_loss": loss, "eval_accuracy": accuracy, "num-examples": len(share)})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
