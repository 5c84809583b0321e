"""A ClientApp whose process ends well, but without a reply."""

import os

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    os._exit(0)
