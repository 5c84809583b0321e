"""A ClientApp that returns what it got. Load tests play it."""

from flwr.app import Context, Message
from flwr.clientapp import ClientApp

app = ClientApp()


@app.train()
def train(message: Message, context: Context) -> Message:
    return Message(message.content, reply_to=message)
