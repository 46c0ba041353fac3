"""The command line. Every error a person can cause ends in one line that names cause and remedy, and a code ≠ 0."""

import argparse
import asyncio
import errno
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from kiosk.catalogue import CatalogueError
from kiosk.config import ConfigError, QueueServerSettings, Settings, load
from kiosk.memory import keep_private

DEFAULT_CONFIG = Path("/etc/motcua/kiosk.toml")

Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    keep_private()
    logging.basicConfig(
        level=logging.DEBUG if options.verbose else logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        stream=sys.stderr,
    )
    for handler in logging.getLogger().handlers:
        handler.addFilter(_worth_reading)
    command: Command = options.command
    try:
        return command(options)
    except (ConfigError, CatalogueError) as error:
        return _say(str(error))
    except OSError as error:
        return _say(_explained(error))
    except KeyboardInterrupt:
        return 130


def _worth_reading(record: logging.LogRecord) -> bool:
    """Not the start-up chatter of libraries (Kivy sets its own logger's level, so it is held back here)."""
    return record.levelno >= logging.ERROR or record.name.partition(".")[0] not in ("kivy", "pikepdf")


def _say(line: str) -> int:
    print(f"motcua: {line}", file=sys.stderr)
    return 2


def _explained(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{error.strerror or error}: another program uses this port; stop it or change the port"
    named = f"{error.filename}: " if error.filename else ""
    return f"{named}{error.strerror or error}"


def require_screen() -> None:
    """Raise ConfigError if there is nothing to draw on."""
    if os.environ.get("DISPLAY") or any(Path("/dev/dri").glob("card*")) or os.environ.get("SDL_VIDEODRIVER"):
        return
    raise ConfigError(
        "no screen found (DISPLAY is not set, no /dev/dri/card*); connect one, or take the tour without a screen: "
        "python main.py demo --tour DIR"
    )


# --- commands; what they need is imported when they run, so that a server needs no GUI toolkit ---


def _settings(options: argparse.Namespace) -> Settings:
    return load(options.config)


def _run(options: argparse.Namespace) -> int:
    from kiosk.app import run

    require_screen()
    asyncio.run(run(_settings(options)))
    return 0


def _demo(options: argparse.Namespace) -> int:
    from demo.program import demo, tour

    if options.tour is not None:
        return tour(options.tour)
    require_screen()
    return demo(options.world, free_ports=options.free_ports)


def _serve_queue(options: argparse.Namespace) -> int:
    from kiosk_queue.server import serve

    serve(_settings(options).queue_server)
    return 0


def _queue_task(name: str) -> Command:
    """A command beside the queue server, by its name in `kiosk_queue.program`."""

    def command(options: argparse.Namespace) -> int:
        from kiosk_queue import program

        task: Callable[[QueueServerSettings, argparse.Namespace], int] = getattr(program, name)
        return task(_settings(options).queue_server, options)

    return command


def _simulate_queue(options: argparse.Namespace) -> int:
    from kiosk_queue.simulation.program import run

    return run(options)


def _serve_receiver(options: argparse.Namespace) -> int:
    from sync.receiver.server import serve

    serve(_settings(options).receiver)
    return 0


def _serve_operator(options: argparse.Namespace) -> int:
    from sync.receiver.operator.server import serve

    serve(_settings(options))
    return 0


def _operator(name: str) -> Command:
    """A command over the operators' accounts, by its name in `sync.receiver.operator.program`."""

    def command(options: argparse.Namespace) -> int:
        from sync.receiver.operator.program import COMMANDS

        return COMMANDS[name](_settings(options), options)

    return command


def _serve_tthc_model(options: argparse.Namespace) -> int:
    from sync.tthc_model.server import serve

    serve(_settings(options).tthc_model)
    return 0


def _forward(options: argparse.Namespace) -> int:
    from sync.forwarder import run

    return run(_settings(options), once=options.once)


def _outbox(name: str) -> Command:
    """A command of the outbox, by its name in `sync.outbox_bench`."""

    def command(options: argparse.Namespace) -> int:
        from sync.outbox_bench import COMMANDS

        return COMMANDS[name](_settings(options), options)

    return command


def _enrol(name: str) -> Command:
    """A command of the kiosk's enrolment, by its name in `sync.enrolment_bench`."""

    def command(options: argparse.Namespace) -> int:
        from sync.enrolment_bench import COMMANDS

        return COMMANDS[name](_settings(options), options)

    return command


def _receiver_import(options: argparse.Namespace) -> int:
    from sync.receiver.importing import import_command

    return import_command(_settings(options).receiver, options)


def _receiver(name: str) -> Command:
    """A command beside the receiver, by its name in `sync.receiver.kiosks_bench`."""

    def command(options: argparse.Namespace) -> int:
        from sync.receiver.kiosks_bench import COMMANDS

        return COMMANDS[name](_settings(options).receiver, options)

    return command


def _recover(options: argparse.Namespace) -> int:
    from sync.recovery import recover_command

    return recover_command(options)


def _simulate(options: argparse.Namespace) -> int:
    from hardware.simulators.program import simulate

    asyncio.run(simulate(_settings(options)))
    return 0


def _diagnose(options: argparse.Namespace) -> int:
    from kiosk.app import diagnose

    return asyncio.run(diagnose(_settings(options), as_json=options.json))


def _card_read(options: argparse.Namespace) -> int:
    from hardware.card.bench import read_command

    return read_command(options)


def _card_verify(options: argparse.Namespace) -> int:
    from hardware.card.bench import verify_command

    return verify_command(options)


def _scan(options: argparse.Namespace) -> int:
    if options.calibrate:
        from hardware.camera.calibrate import calibrate_command

        return calibrate_command(_settings(options), options)
    if not options.images:
        raise ConfigError("scan: name at least one IMAGE, or --calibrate")
    if options.code:
        from hardware.camera.code_bench import scan_codes_command

        return scan_codes_command(options)
    from hardware.camera.bench import scan_command

    return scan_command(options)


def _codes(options: argparse.Namespace) -> int:
    from hardware.scanner.bench import scan_codes_command

    return scan_codes_command(_settings(options).scanner, options)


def _print(options: argparse.Namespace) -> int:
    from hardware.printer.bench import print_command

    return print_command(_settings(options).printer, options)


class _Commands:
    """A level of the command line: commands by name, each with the common options."""

    def __init__(self, parser: argparse.ArgumentParser, what: str) -> None:
        self._parsers = parser.add_subparsers(metavar=what)
        self._common = argparse.ArgumentParser(add_help=False)
        # Suppressed: a default here would undo what was given before the command's name.
        for name, more, text in (
            ("--config", {"type": Path}, "configuration file (TOML)"),
            ("--verbose", {"action": "store_true"}, "log debugging details too"),
        ):
            self._common.add_argument(name, default=argparse.SUPPRESS, help=text, **more)

    def add(self, name: str, command: Command, text: str) -> argparse.ArgumentParser:
        """A command that runs `command`."""
        parser = self._parsers.add_parser(name, help=text, description=text, parents=[self._common])
        parser.set_defaults(command=command)
        return parser

    def level(self, name: str, what: str, text: str) -> "_Commands":
        """A command that only holds others."""
        parser = self._parsers.add_parser(name, help=text, description=text)
        parser.set_defaults(command=lambda _: parser.error(f"which {what}? see --help"))
        return _Commands(parser, what)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("kiosk", description="Motcua: the self-service kiosk of a one-stop centre")
    parser.set_defaults(command=_run, config=_default_config(), verbose=False)
    top = _Commands(parser, "command")
    top.add("run", _run, "the touchscreen application on the configured hardware (default)")
    demo = top.add("demo", _demo, "everything on one machine, in a window")
    demo.add_argument("--tour", type=Path, metavar="DIR", help="scripted visits without a screen; results go to DIR")
    demo.add_argument("--world", type=Path, metavar="DIR", help="keep the demonstration's data here")
    serve = top.level("serve", "server", "the servers")
    _add_queue_tasks(serve.add("queue", _serve_queue, "the queue server with console and hall display"))
    serve.add("receiver", _serve_receiver, "the receiver of dossiers")
    serve.add("operator", _serve_operator, "the operator's page over the receiver's database")
    told = "a model TTHC system: OpenCPS v2 and the national flow, faults on demand, a page that shows what arrived"
    serve.add("tthc-model", _serve_tthc_model, told)
    demo.add_argument("--free-ports", action="store_true", help="use ports that no other program uses")
    forward = top.add("forward", _forward, "the forwarder of the outbox")
    forward.add_argument("--once", action="store_true", help="send what is due and end")
    _add_outbox(top.level("outbox", "command", "the sealed dossiers of this kiosk, on their way"))
    _add_enrol(
        top.level("enrol", "command", "this kiosk's keys and certificate: a request goes out, an answer comes in")
    )
    _add_receiver(top.level("receiver", "command", "the province's authority, keys and register of kiosks"))
    _add_recover(_json(top.add("recover", _recover, "open envelopes with the offline recovery key (at the province)")))
    top.add("simulate", _simulate, "all simulators and the dock")
    _json(top.add("diagnose", _diagnose, "every device with status, reason and remedy"))
    card = top.level("card", "tool", "bench tools of the card reader")
    _add_card_read(_json(card.add("read", _card_read, "read the card that lies on the reader")))
    _add_card_verify(_json(card.add("verify", _card_verify, "judge the files of a card, without the card")))
    _add_scan(_json(top.add("scan", _scan, "find and flatten pages in pictures")))
    _json(top.add("codes", _codes, "show what the code scanner reads"))
    _json(top.add("print", _print, "print a test slip"))
    return parser


def _add_queue_tasks(parser: argparse.ArgumentParser) -> None:
    """Commands beside the queue server; without one the server runs."""
    tasks = _Commands(parser, "[task]")

    def task(name: str, function: str, text: str, of: _Commands = tasks) -> argparse.ArgumentParser:
        added = of.add(name, _queue_task(function), text)
        added.add_argument("--centre", default="", help="short name of the centre (default: queue_server.centre)")
        return added

    token = task("token", "token", "print a new token for a device, or revoke the one it has")
    token.add_argument("--device", required=True, metavar="NAME", help="name of the device, unique in the centre")
    token.add_argument("--role", choices=("kiosk", "counter", "display"), help="what the device may do")
    token.add_argument("--revoke", action="store_true", help="the device's token works no longer")
    task("devices", "list_devices", "list the devices that have a token")
    admin = task("admin", "admin", "make the first administrator, or give them a new password")
    admin.add_argument("--name", required=True, help="name to sign in with")
    task("export-settings", "export_settings", "print a centre's settings (JSON)")
    given = task("import-settings", "import_settings", "take over a centre's settings, or add a centre")
    given.add_argument("file", type=Path, metavar="FILE", help="JSON as printed by export-settings")
    webhook = tasks.level("webhook", "deed", "addresses that events are posted to")
    added = task("add", "add_webhook", "post events to an address; prints the secret they are signed with", webhook)
    added.add_argument("url", metavar="URL")
    added.add_argument("--kind", action="append", default=[], help="only events of this kind (may be repeated)")
    task("list", "list_webhooks", "list the addresses and how far each is behind", webhook)
    task("remove", "remove_webhook", "post no more to an address", webhook).add_argument("url", metavar="URL|ID")
    voice = task("voice-pack", "voice_pack", "make the clips of the hall's voice (espeak-ng)")
    voice.add_argument("--language", choices=("vi", "en"), help="only this one")
    voice.add_argument("--force", action="store_true", help="make clips again that espeak-ng made before")
    _add_queue_simulation(tasks.add("simulate", _simulate_queue, "what the calling rules do to waiting times"))


def _add_queue_simulation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--arrivals", required=True, metavar="FILE|PRESET", help="when citizens come")
    parser.add_argument("--rule", metavar="NAME", help="only this rule (default: all, side by side)")
    parser.add_argument("--counters", type=int, default=0, help="how many are open (default: as the arrivals say)")
    parser.add_argument("--load", type=float, default=0.0, help="share of the counters' time that is needed")
    parser.add_argument("--mornings", type=int, default=100, help="how many are simulated")
    parser.add_argument("--seed", type=int, default=1, help="the same seed, the same mornings")
    parser.add_argument("--svg", type=Path, metavar="OUT", help="draw the comparison")
    _json(parser)


def _add_outbox(outbox: _Commands) -> None:
    _json(outbox.add("list", _outbox("list"), "what waits, what is quarantined, how much room is left"))
    _json(outbox.add("verify", _outbox("verify"), "read everything and say what is wrong"))
    _json(outbox.add("rebuild", _outbox("rebuild"), "make the index anew from the envelopes"))
    export = _json(outbox.add("export", _outbox("export"), "copy everything undelivered to a stick, and read it back"))
    export.add_argument("folder", type=Path, metavar="DIR", help="folder on the stick")
    release = _json(outbox.add("release", _outbox("release"), "send a quarantined one again"))
    release.add_argument("id", metavar="ID", help="submission id or provisional reference")
    submit = _json(outbox.add("submit", _outbox("submit"), "seal a dossier given as JSON and the files it names"))
    submit.add_argument("files", type=Path, nargs="+", metavar="FILE", help="one JSON, and the files it names")
    submit.add_argument("--copies", type=int, default=1, metavar="N", help="file it so many times, each a new one")


def _add_operators(operator: _Commands) -> None:
    for deed, text in (("add", "a new operator, or a new password"), ("disable", "shut an operator out, at once")):
        operator.add(deed, _operator(deed), text).add_argument("name", metavar="NAME")


def _add_enrol(enrol: _Commands) -> None:
    request = enrol.add("request", _enrol("request"), "make new keys and a request for the province")
    request.add_argument("file", type=Path, metavar="FILE", help="where the request is written")
    accept = enrol.add("accept", _enrol("accept"), "check the province's answer and use the new keys")
    accept.add_argument("file", type=Path, metavar="FILE", help="the answer")
    accept.add_argument("--fingerprint", default="", metavar="HEX", help="of the authority, as the province told you")
    keys = enrol.add("keys", _enrol("keys"), "take a newer list of the province's keys that came by stick")
    keys.add_argument("file", type=Path, metavar="FILE", help="the list")
    _json(enrol.add("show", _enrol("show"), "certificate, keys and list in place, and the days left"))


def _add_receiver(receiver: _Commands) -> None:
    _add_operators(receiver.level("operator", "deed", "who may sign in on the operator's page"))
    authority = receiver.add("authority", _receiver("authority"), "make the authority, or one more beside it")
    authority.add_argument("--name", default="Motcua authority", help="shown in certificates")
    _add_hosts(authority)
    enrol = receiver.add("enrol", _receiver("enrol"), "enrol a kiosk, or renew its keys and certificate")
    enrol.add_argument("request", type=Path, metavar="REQUEST", help="what `enrol request` wrote at the kiosk")
    enrol.add_argument("--out", type=Path, metavar="ANSWER", required=True, help="where the answer is written")
    enrol.add_argument("--yes", action="store_true", help="the fingerprint was compared")
    enrol.add_argument("--new-machine", action="store_true", help="its present keys are lost and cannot vouch")
    revoke = _json(receiver.add("revoke", _receiver("revoke"), "a certificate, a signing key, or all of a kiosk's"))
    which = revoke.add_mutually_exclusive_group()
    which.add_argument("--certificate", default="", metavar="HEX", help="only this one (fingerprint, 8 digits or more)")
    which.add_argument("--signing-key", default="", metavar="HEX", help="only this one (8 digits or more)")
    retire = _json(receiver.add("retire", _receiver("retire"), "a kiosk that is gone for good; what it may still hold"))
    for parser in (revoke, retire):
        parser.add_argument("kiosk", metavar="KIOSK")
        parser.add_argument("--why", required=True, metavar="TEXT", help="kept in the register")
    _json(receiver.add("kiosks", _receiver("kiosks"), "the register, with the days each certificate has left"))
    _json(receiver.add("keys", _receiver("keys"), "publish the list of keys as they lie here"))
    rotate = _json(receiver.add("rotate", _receiver("rotate"), "replace one of the receiver's keys, with overlap"))
    rotate.add_argument("key", choices=("opening", "receipt", "server"), help="server: its certificate, with --host")
    rotate.add_argument("--newest", action="store_true", help="server: from the newest authority, not the oldest")
    _add_hosts(rotate)
    taken = _json(receiver.add("import", _receiver_import, "take in the envelopes of a stick"))
    taken.add_argument("folder", type=Path, metavar="FOLDER", help="what `outbox export` wrote at the kiosk")
    taken.add_argument("--retired", action="store_true", help="also of retired kiosks, under the keys they had last")


def _add_hosts(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--host", action="append", default=[], metavar="NAME", help="how kiosks call the receiver (may be repeated)"
    )


def _add_recover(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("envelopes", type=Path, nargs="*", metavar="ENVELOPE", help="its folder, or one above it")
    parser.add_argument("--key", type=Path, metavar="FILE", help="the recovery key (PEM)")
    parser.add_argument("--out", type=Path, metavar="DIR", help="a folder for each envelope is made here")
    parser.add_argument("--kiosk-keys", type=Path, metavar="DIR", help="check signatures with <kiosk id>.pub in here")
    parser.add_argument(
        "--new-key", type=Path, metavar="FILE", help="make a recovery key instead, its public part beside"
    )


def _json(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    parser.add_argument("--json", action="store_true", help="machine-readable output")
    return parser


def _add_card_read(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--mrz", nargs="+", metavar="LINE", help="the lines of the machine readable zone")
    parser.add_argument("--number", help="12-digit number, or its last 9 digits")
    parser.add_argument("--birth", help="YYMMDD")
    parser.add_argument("--expiry", help="YYMMDD; 991231 if the card does not expire")
    parser.add_argument("--can", help="card access number, 6 digits (PACE only)")
    parser.add_argument("--csca", type=Path, help="folder of trusted CSCA certificates")
    parser.add_argument("--reader", default="", help="part of the reader's name")
    parser.add_argument("--dump", type=Path, metavar="DIR", help="write the card's raw files to this folder")


def _add_card_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder with EF.SOD and EF.DGn.bin")
    parser.add_argument("--csca", type=Path, help="folder of CSCA certificates, master lists and CRLs")


def _add_scan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("images", nargs="*", type=Path, metavar="IMAGE")
    parser.add_argument("--calibrate", action="store_true", help="keep the empty tray and lock the camera's controls")
    parser.add_argument(
        "--sheet", action="store_true", help="with --calibrate: an A4 sheet lies there, measure with it"
    )
    parser.add_argument("--pdf", type=Path, help="write the pages found to this PDF")
    parser.add_argument("--tray", type=Path, metavar="EMPTY_IMAGE", help="the empty tray, seen by the same camera")
    parser.add_argument("--size", choices=("a4", "a5", "id1", "auto"), default="auto", help="what size the sheets are")
    parser.add_argument("--least-dpi", type=int, default=200, help="refuse coarser pages (default: %(default)s)")
    parser.add_argument("--code", choices=("qr", "mrz"), help="read this code instead; several pictures are its frames")


def _default_config() -> Path:
    return Path(os.environ.get("MOTCUA_CONFIG", DEFAULT_CONFIG))
