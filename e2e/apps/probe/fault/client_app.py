"""A ClientApp that measures from which package index its package came."""

from blossomtune_probe import ORIGIN
from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    content = {"arrays": message.content["arrays"], "metrics": MetricRecord({"origin": ORIGIN, "num-examples": 1})}
    return Message(RecordDict(content), reply_to=message)
