"""The touchscreen, in Kivy: one file per screen. Importing it keeps Kivy out of the command line, the log and the home.

Kivy reads its environment on its first import, so this must run before any module of this package imports it.
"""

import atexit
import os
import shutil
import tempfile


def _prepare_environment() -> None:
    """Kivy's files go to a folder of this run; its log through Python's logging; its arguments and console off."""
    if "KIVY_HOME" not in os.environ:
        home = tempfile.mkdtemp(prefix="motcua-kivy-", dir=os.environ.get("RUNTIME_DIRECTORY"))
        os.environ["KIVY_HOME"] = home
        atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ.update(KIVY_NO_ARGS="1", KIVY_NO_CONSOLELOG="1", KIVY_NO_FILELOG="1", KIVY_LOG_MODE="PYTHON")


_prepare_environment()
