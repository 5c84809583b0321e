"""A ServerApp whose dependency is missing."""

import surely_missing_module
from flwr.serverapp import ServerApp

app = ServerApp()
app.main()(surely_missing_module.main)
