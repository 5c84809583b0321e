"""A ServerApp whose process ends before it can say anything."""

import os

from flwr.serverapp import ServerApp

app = ServerApp()

os._exit(3)
