"""A ClientApp that does nothing."""

from flwr.clientapp import ClientApp

app = ClientApp()
