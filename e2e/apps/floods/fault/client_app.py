"""A ClientApp that sends more metrics than anybody can look at."""

import math

from flwr.app import ArrayRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    odd = {"num-examples": 10, "lost": math.nan, "high": math.inf, "low": -math.inf, "=1+1": 0.5}
    many = {f"m{i:07d}": float(i) for i in range(int(context.run_config["metrics"]))}
    arrays = ArrayRecord(message.content["arrays"].to_numpy_ndarrays())
    return Message(RecordDict({"arrays": arrays, "metrics": MetricRecord({**odd, **many})}), reply_to=message)


@app.evaluate()
def evaluate(message: Message, context: Context) -> Message:
    odd = {"num-examples": 10, "lost": math.nan, "high": math.inf, "low": -math.inf}
    return Message(RecordDict({"metrics": MetricRecord(odd)}), reply_to=message)
