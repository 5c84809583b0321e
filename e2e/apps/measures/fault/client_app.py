"""A ClientApp whose replies have several records; from its second training on, partition 1 has one more."""

from flwr.app import ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    seen = context.state.setdefault("seen", MetricRecord({"rounds": 0}))
    seen["rounds"] = int(seen["rounds"]) + 1
    reply = RecordDict()
    partition = int(context.node_config["partition-id"])
    if partition == 1 and int(seen["rounds"]) > 1:
        reply["system"] = MetricRecord({"loss": 99.0})
    reply["train-metrics"] = MetricRecord({"num-examples": 10 + 20 * partition, "loss": 0.5})
    reply["config"] = ConfigRecord(
        {"lr": float(context.run_config["lr"]), "momentum": 0.9, "batches": 7, "took": 0.25, "who": "x"}
    )
    return Message(reply, reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    partition = int(context.node_config["partition-id"])
    per_class = [0.1 * i + partition for i in range(130)]
    return Message(RecordDict({"m": MetricRecord({"per_class": per_class, "num-examples": 5})}), reply_to=message)
