"""A ClientApp that tries to get out, and sends what came of it."""

import json

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from fault.takes import take
from fault.ways import tried

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Try."""
    attack = str(message.content["config"]["attack"])
    if attack.startswith("client"):
        take(attack)
    told = tried(json.loads(str(message.content["config"]["targets"])))
    return Message(RecordDict({"told": ConfigRecord({"ways": json.dumps(told)})}), reply_to=message)
