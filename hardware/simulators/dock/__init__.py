"""The dev dock: a local web page and HTTP API over the simulators."""

from hardware.simulators.dock.server import Dock

__all__ = ["Dock"]
