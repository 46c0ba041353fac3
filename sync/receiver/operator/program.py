"""`receiver operator add|disable NAME`: who may sign in on the operator's page. Counts at once."""

import argparse
import getpass
import sys
from collections.abc import Callable
from contextlib import closing

from kiosk.config import ConfigError, Settings
from sync.receiver.database import DatabaseFault, open_database
from sync.receiver.operator import accounts


def add_command(settings: Settings, options: argparse.Namespace) -> int:
    """A new operator, or a new password; it is asked for, or read from standard input."""
    password = getpass.getpass("Password: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    with closing(open_database(settings.receiver)) as database:
        try:
            accounts.add(database, options.name, password)
        except accounts.Unfit as unfit:
            raise ConfigError(f"receiver operator add: {unfit}") from None
        except DatabaseFault as fault:
            raise ConfigError(f"the receiver's database did not take it ({fault})") from None
    print(f"operator: {options.name}", file=sys.stderr)
    return 0


def disable_command(settings: Settings, options: argparse.Namespace) -> int:
    """Shut an operator out."""
    with closing(open_database(settings.receiver)) as database:
        try:
            known = accounts.disable(database, options.name)
        except DatabaseFault as fault:
            raise ConfigError(f"the receiver's database did not take it ({fault})") from None
    if not known:
        raise ConfigError(f"receiver operator disable: there is no operator {options.name!r}")
    print(f"disabled: {options.name}", file=sys.stderr)
    return 0


COMMANDS: dict[str, Callable[[Settings, argparse.Namespace], int]] = {"add": add_command, "disable": disable_command}
