"""A ClientApp that tries to get out, and sends what came of it."""

import json

from flwr.app import ConfigRecord, Context, Message, RecordDict
from flwr.clientapp import ClientApp

from fault.ways import tried

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    """Try."""
    told = tried(json.loads(str(message.content["config"]["targets"])))
    return Message(RecordDict({"told": ConfigRecord({"ways": json.dumps(told)})}), reply_to=message)
