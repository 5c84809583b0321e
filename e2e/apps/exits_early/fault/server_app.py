"""A ServerApp whose process ends before it can say anything."""

import os

os._exit(3)
