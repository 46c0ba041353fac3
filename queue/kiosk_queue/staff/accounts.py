"""Officers, supervisors, administrators: passwords, sessions, what each may do, the audit of every change."""

import asyncio
import hashlib
import hmac
import re
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError
from starlette.requests import Request

from kiosk.clock import SystemClock, from_iso, utc_iso
from kiosk.text import nfc
from kiosk_queue.counter import release
from kiosk_queue.floor import Desk, Floor, Refused, View
from kiosk_queue.model import Json
from kiosk_queue.storage.store import Conflict, Row, Store, Tx
from kiosk_queue.web import Site

Role = Literal["officer", "supervisor", "administrator"]
ROLES: tuple[Role, ...] = get_args(Role)
"""From the least to the most; each may do what those before it may."""

SESSION = timedelta(hours=12)
RENEW_AFTER = timedelta(minutes=10)
"""A session in use is made to last again when so much of it is gone."""
SHORTEST_PASSWORD, LONGEST_PASSWORD = 10, 200
ACCOUNT_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")
CSRF_HEADER = "x-csrf-token"

MEMORY_KIB, PASSES = 65536, 3
"""argon2id, one lane: the second recommendation of RFC 9106 §4 for memory and passes."""
_hasher = PasswordHasher(PASSES, MEMORY_KIB, parallelism=1, hash_len=32, salt_len=16, type=Type.ID)
_workers = ThreadPoolExecutor(2, "password")
"""Bounds the memory of hashing, and keeps it off the event loop."""
NOBODY = f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p=1${'A' * 22}${'A' * 43}"
"""Checked for names that are not there, so that they take as long; no password fits."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who is signed in; `session` names the sign-in without being its secret, `csrf` goes into its pages."""

    id: str
    centre: str
    name: str
    shown: str
    role: Role
    session: str
    csrf: str

    def may(self, role: Role) -> bool:
        """Whether this account is at least a `role`."""
        return ROLES.index(self.role) >= ROLES.index(role)


# --- requests ---


def cookie_name(site: Site) -> str:
    """`__Host-` keeps a cookie of HTTPS from being set by any other host or path."""
    return "__Host-motcua" if is_secure(site) else "motcua"


def is_secure(site: Site) -> bool:
    """Whether browsers reach this server over HTTPS."""
    return site.settings.public_url.startswith("https://")


async def signed_in(site: Site, request: Request) -> Account:
    """The account of a request, its session made to last; raises Refused 401 without a valid one of this centre."""
    token, centre = request.cookies.get(cookie_name(site), ""), site.centre_of(request)
    found = await site.see(centre, lambda view: _session(view, token)) if token else None
    if found is None:
        raise Refused("unauthorized", "Phiên làm việc đã hết. Hãy đăng nhập lại.", 401)
    account, left, now = found
    if left < SESSION - RENEW_AFTER:
        until = utc_iso(now + SESSION)
        sql = "UPDATE login SET until = :until WHERE token = :token"
        renewal = site.desk.store.write(centre, lambda tx: tx.run(sql, until=until, token=digest_of(token)))
        await site.answers.of(renewal)
    return account


def require(account: Account, role: Role) -> None:
    """Raise Refused 403 unless the account is at least a `role`."""
    if not account.may(role):
        raise Refused("forbidden", "Tài khoản này không có quyền làm việc đó.", 403)


def check_csrf(request: Request, account: Account) -> None:
    """Raise Refused 403 unless the request carries the session's token (header `X-CSRF-Token`)."""
    if not hmac.compare_digest(request.headers.get(CSRF_HEADER, "").encode(), account.csrf.encode()):
        raise Refused("forbidden", "Trang đã cũ. Hãy tải lại trang.", 403)


def digest_of(token: str) -> str:
    """What is stored of a session's token."""
    return hashlib.sha256(token.encode()).hexdigest()


def session_alive(view: View, account: Account) -> bool:
    """Whether a stream that was opened with this session may still be written to."""
    row = view.tx.one(
        "SELECT until FROM login JOIN account ON account.id = login.account"
        " WHERE substr(login.token, 1, 32) = :session AND account.id = :account AND account.disabled = 0",
        session=account.session, account=account.id,
    )  # fmt: skip
    return row is not None and from_iso(row["until"]) > view.now


def _session(view: View, token: str) -> tuple[Account, timedelta, datetime] | None:
    row = view.tx.one(
        "SELECT account.*, login.token, login.csrf, login.until FROM login JOIN account ON account.id = login.account"
        " WHERE login.token = :token AND account.centre = :centre AND account.disabled = 0",
        token=digest_of(token), centre=view.centre.id,
    )  # fmt: skip
    if row is None or (left := from_iso(row["until"]) - view.now) <= timedelta():
        return None
    account = Account(
        row["id"], row["centre"], row["name"], row["shown"], row["role"], row["token"][:32], row["csrf"]
    )  # fmt: skip
    return account, left, view.now


# --- passwords ---


async def hashed(password: str, name: str = "") -> str:
    """What is stored of a new password; raises Refused for one that is too weak."""
    return await asyncio.get_running_loop().run_in_executor(_workers, _hash, password, name)


async def fits(password: str, stored: str) -> bool:
    """Whether the password is the stored one; takes as long either way."""
    return await asyncio.get_running_loop().run_in_executor(_workers, _verify, password, stored)


def _hash(password: str, name: str) -> str:
    text = nfc(password)
    if not SHORTEST_PASSWORD <= len(text) <= LONGEST_PASSWORD:
        raise Refused("weak_password", f"Mật khẩu cần từ {SHORTEST_PASSWORD} đến {LONGEST_PASSWORD} ký tự.", 422)
    if len(set(text)) < 4 or (name and name in text.casefold()):
        raise Refused("weak_password", "Mật khẩu quá dễ đoán: đừng dùng tên tài khoản hay vài ký tự lặp lại.", 422)
    return _hasher.hash(text)


def _verify(password: str, stored: str) -> bool:
    try:
        return _hasher.verify(stored, nfc(password))
    except (VerificationError, InvalidHashError):
        return False


# --- signing in and out ---


def password_of(view: View, name: str) -> str:
    """The stored password of an account; that of nobody where there is none or it is disabled."""
    row = view.tx.one(
        "SELECT password FROM account WHERE centre = :centre AND name = :name AND disabled = 0",
        centre=view.centre.id, name=name.strip().casefold(),
    )  # fmt: skip
    return str(row["password"]) if row else NOBODY


def begin_session(floor: Floor, name: str, stored: str, token: str) -> Json:
    """A session for the account whose password was just checked against `stored`; Refused if it changed meanwhile."""
    row = _account(floor, name)
    if row["disabled"] or row["password"] != stored:
        raise Refused("unauthorized", "Tên hoặc mật khẩu không đúng.", 401)
    floor.tx.run("DELETE FROM login WHERE until < :at", at=floor.at)
    floor.tx.run(
        "INSERT INTO login (token, account, csrf, since, until) VALUES (:token, :account, :csrf, :at, :until)",
        token=digest_of(token), account=row["id"], csrf=secrets.token_urlsafe(24), at=floor.at,
        until=utc_iso(floor.now + SESSION),
    )  # fmt: skip
    floor.event("signed_in", actor=row["name"])
    return {"role": row["role"]}


def end_session(floor: Floor, account: Account) -> Json:
    """Sign out; the counter is free again. Refused with a citizen at it."""
    if floor.tx.one(
        "SELECT 1 AS here FROM ticket JOIN desk ON desk.centre = ticket.centre AND desk.counter = ticket.counter"
        " WHERE desk.centre = :centre AND desk.session = :session AND ticket.state IN ('called', 'serving')",
        centre=floor.centre.id, session=account.session,
    ):  # fmt: skip
        raise Refused("busy", "Hãy kết thúc hoặc chuyển số đang phục vụ trước khi đăng xuất.")
    release(floor, account.session, account.name, "signed_out")
    floor.tx.run("DELETE FROM login WHERE substr(token, 1, 32) = :session", session=account.session)
    floor.event("signed_out", actor=account.name)
    return {}


# --- managing accounts: deeds of an administrator ---


def add_account(floor: Floor, actor: str, name: str, shown: str, role: Role, password: str) -> Json:
    """A new account; `password` as `hashed` gave it, `shown` is how colleagues read the name."""
    name, shown = name.strip().casefold(), nfc(shown)
    if not ACCOUNT_NAME.fullmatch(name):
        raise Refused("bad_request", "Tên tài khoản: 2 đến 40 chữ thường không dấu, số, chấm, gạch", 422)
    if role not in ROLES or not 1 <= len(shown) <= 64:
        raise Refused("bad_request", "Thiếu tên hiển thị hoặc vai trò không đúng", 422)
    try:
        floor.tx.run(
            "INSERT INTO account (id, centre, name, shown, role, password)"
            " VALUES (:id, :centre, :name, :shown, :role, :password)",
            id=secrets.token_urlsafe(12), centre=floor.centre.id, name=name, shown=shown, role=role, password=password,
        )  # fmt: skip
    except Conflict:
        raise Refused("name_taken", "Đã có tài khoản tên này") from None
    floor.event("account_added", actor=actor, account=name, role=role)
    return {"account": name}


def set_role(floor: Floor, actor: str, name: str, role: Role) -> Json:
    """Give another role; the last administrator keeps theirs."""
    row = _account(floor, name)
    if role not in ROLES:
        raise Refused("bad_request", "Vai trò không đúng", 422)
    if role != row["role"]:
        if role != "administrator":
            _keep_an_administrator(floor, row)
        floor.tx.run("UPDATE account SET role = :role WHERE id = :id", role=role, id=row["id"])
        floor.event("account_role", actor=actor, account=row["name"], role=role, before=row["role"])
    return {"account": row["name"], "role": role}


def set_password(floor: Floor, actor: str, name: str, password: str) -> Json:
    """A new password, as `hashed` gave it; whoever was signed in with the old one is not any more."""
    row = _account(floor, name)
    floor.tx.run("UPDATE account SET password = :password WHERE id = :id", password=password, id=row["id"])
    _end_sessions(floor, row, actor, "password_changed")
    floor.event("account_password", actor=actor, account=row["name"])
    return {"account": row["name"]}


def set_disabled(floor: Floor, actor: str, name: str, *, disabled: bool) -> Json:
    """Shut an account out, its sessions end at once; or let it in again. The last administrator stays."""
    row = _account(floor, name)
    if bool(row["disabled"]) != disabled:
        if disabled:
            _keep_an_administrator(floor, row)
            _end_sessions(floor, row, actor, "account_disabled")
        floor.tx.run("UPDATE account SET disabled = :disabled WHERE id = :id", disabled=int(disabled), id=row["id"])
        floor.event("account_disabled" if disabled else "account_enabled", actor=actor, account=row["name"])
    return {"account": row["name"], "disabled": disabled}


def accounts_of(tx: Tx, centre: str, now: str) -> list[Json]:
    """Every account of a centre, without secrets: name, shown, role, disabled, signed_in. `now`: ISO, UTC."""
    rows = tx.all(
        "SELECT name, shown, role, disabled, (SELECT count(*) FROM login WHERE login.account = account.id"
        " AND login.until > :now) AS sessions FROM account WHERE centre = :centre ORDER BY name",
        centre=centre, now=now,
    )  # fmt: skip
    return [
        {**{key: row[key] for key in ("name", "shown", "role")}, "disabled": bool(row["disabled"]),
         "signed_in": row["sessions"] > 0}
        for row in rows
    ]  # fmt: skip


def add_first_administrator(store: Store, centre: str, name: str, password: str) -> None:
    """From the command line: an administrator, new or with this password again. Raises Refused for unfit names."""
    stored = _hash(password, name.strip().casefold())

    def deed(floor: Floor) -> Json:
        known = floor.tx.one(
            "SELECT name FROM account WHERE centre = :centre AND name = :name",
            centre=floor.centre.id, name=name.strip().casefold(),
        )  # fmt: skip
        if known is None:
            return add_account(floor, "command-line", name, name.strip(), "administrator", stored)
        set_disabled(floor, "command-line", name, disabled=False)
        set_role(floor, "command-line", name, "administrator")
        return set_password(floor, "command-line", name, stored)

    Desk(store, SystemClock()).do(centre, deed).result()


def _account(floor: Floor, name: str) -> Row:
    row = floor.tx.one(
        "SELECT * FROM account WHERE centre = :centre AND name = :name",
        centre=floor.centre.id, name=name.strip().casefold(),
    )  # fmt: skip
    if row is None:
        raise Refused("not_found", "Không có tài khoản này", 404)
    return row


def _keep_an_administrator(floor: Floor, leaving: Row) -> None:
    others = floor.tx.one(
        "SELECT count(*) AS n FROM account WHERE centre = :centre AND role = 'administrator' AND disabled = 0"
        " AND id <> :id",
        centre=floor.centre.id, id=leaving["id"],
    )  # fmt: skip
    if leaving["role"] == "administrator" and not leaving["disabled"] and (others is None or others["n"] == 0):
        raise Refused("last_administrator", "Đây là quản trị viên cuối cùng, không thể khóa hay hạ quyền.")


def _end_sessions(floor: Floor, row: Row, actor: str, why: str) -> None:
    """Every session of an account ends and gives its counter back; a number at the counter stays there."""
    for login in floor.tx.all("SELECT token FROM login WHERE account = :account", account=row["id"]):
        release(floor, login["token"][:32], actor, why)
    floor.tx.run("DELETE FROM login WHERE account = :account", account=row["id"])
