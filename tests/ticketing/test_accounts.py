"""Accounts: who may sign in, for how long, what each role may do, what the audit keeps."""

import hashlib
import re
from datetime import timedelta
from time import perf_counter

import pytest
import requests

from kiosk_queue.floor import Refused
from kiosk_queue.staff import accounts, attempts

CENTRE = "centre"
PASSWORD = "mật khẩu dài của Lan"


@pytest.fixture
def site(helpers, settings, hands):
    """A server on the test's clock with an administrator."""
    server = helpers.Running(settings, hands).start()
    accounts.add_first_administrator(server.desk.store, CENTRE, "admin", PASSWORD)
    yield server
    server.stop()


def do(site, deed):
    return site.desk.do(CENTRE, deed).result()


def add(site, name: str, role: str = "officer", shown: str = "") -> None:
    stored = accounts._hash(PASSWORD, "")
    do(site, lambda floor: accounts.add_account(floor, "admin", name, shown or name, role, stored))


def enter(site, name: str, password: str = PASSWORD, **headers: str) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        form = {"name": name, "password": password}
        return session.post(f"{site.url}/sign-in", data=form, headers=headers, timeout=30, allow_redirects=False)


def console(site, cookies) -> requests.Response:
    return requests.get(f"{site.url}/console", cookies=cookies, timeout=30, allow_redirects=False)


def events(site, *kinds: str) -> list[dict]:
    sql = "SELECT kind, actor, body FROM event WHERE centre = :c ORDER BY seq"
    rows = site.desk.store.read(lambda tx: [dict(row) for row in tx.all(sql, c=CENTRE)]).result()
    return [row for row in rows if row["kind"] in kinds]


def test_the_right_name_and_password_open_the_console_with_a_strict_cookie(site) -> None:
    answer = enter(site, " Admin ")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/console"
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert console(site, answer.cookies).status_code == 200
    assert console(site, {}).headers["location"] == "/sign-in"


def test_over_https_the_cookie_is_secure_and_bound_to_the_host(helpers, tmp_path, settings) -> None:
    from dataclasses import replace

    server = helpers.Running(replace(settings, public_url="https://queue.test")).start()
    accounts.add_first_administrator(server.desk.store, CENTRE, "admin", PASSWORD)
    cookie = enter(server, "admin").headers["set-cookie"]
    server.stop()
    assert cookie.startswith("__Host-motcua=")
    assert "; secure" in cookie.lower()


def test_unknown_wrong_and_disabled_are_told_apart_by_nobody(site) -> None:
    add(site, "lan")
    do(site, lambda floor: accounts.set_disabled(floor, "admin", "lan", disabled=True))
    answers = [enter(site, "nobody"), enter(site, "admin", "wrong password"), enter(site, "lan")]
    assert {answer.status_code for answer in answers} == {401}
    assert len({re.sub(r'value="[^"]*"', "", answer.text) for answer in answers}) == 1


async def test_an_unknown_name_takes_as_long_as_a_known_one() -> None:
    stored = await accounts.hashed(PASSWORD)

    async def taken(against: str) -> float:
        begun = perf_counter()
        assert not await accounts.fits("wrong", against)
        return perf_counter() - begun

    both = [(await taken(stored), await taken(accounts.NOBODY)) for _ in range(6)]  # by turns, whatever else goes on
    known, unknown = (min(times) for times in zip(*both, strict=True))
    assert 0.4 < known / unknown < 2.5


def test_passwords_and_tokens_are_stored_as_hashes_only(site) -> None:
    token = next(iter(enter(site, "admin").cookies)).value
    rows = site.desk.store.read(lambda tx: (tx.one("SELECT * FROM account"), tx.one("SELECT * FROM login"))).result()
    account, login = (dict(row) for row in rows)
    assert account["password"].startswith("$argon2id$v=19$m=65536,t=3,p=1$")
    assert login["token"] == hashlib.sha256(token.encode()).hexdigest()
    assert token not in str(login)


def test_guessing_is_slowed_for_the_name_but_not_for_other_names(site) -> None:
    for _ in range(attempts.BY_NAME.free):
        assert enter(site, "admin", "wrong password").status_code == 401
    blocked = enter(site, "admin")
    assert blocked.status_code == 429
    assert int(blocked.headers["retry-after"]) >= 1
    assert enter(site, "somebody-else").status_code == 401, "other names are not held up"


def test_the_wait_doubles_up_to_a_limit_and_is_forgotten(desk, hands, monkeypatch) -> None:
    monkeypatch.setattr(attempts, "BY_NAME", attempts.Patience(2, 30))

    def attempt(name: str) -> int:
        """An attempt as soon as it is allowed; how long that took."""
        try:
            desk.do(CENTRE, lambda floor: attempts.begin(floor, f"192.0.2.{name}", name)).result()
        except attempts.TooSoon as told:
            hands.turn(seconds=told.seconds - 1)
            assert attempt(name) == 0
            return told.seconds - 1
        return 0

    assert [attempt("1") for _ in range(9)] == [0, 0, 4, 8, 16, 30, 30, 30, 30]
    assert desk.do(CENTRE, lambda floor: attempts.fitted(floor, "192.0.2.1", "1") or {}).result() == {}
    assert [attempt("1") for _ in range(2)] == [0, 0]
    assert [attempt("2") for _ in range(2)] == [0, 0]
    hands.turn(minutes=16)
    assert attempt("2") == 0, "forgotten"


def test_a_clock_set_back_makes_nobody_wait_longer(desk, hands) -> None:
    for _ in range(attempts.BY_NAME.free):
        desk.do(CENTRE, lambda floor: attempts.begin(floor, "192.0.2.1", "lan")).result()
    hands.turn(days=-1)
    with pytest.raises(attempts.TooSoon) as told:
        desk.do(CENTRE, lambda floor: attempts.begin(floor, "192.0.2.1", "lan")).result()
    assert told.value.seconds <= attempts.FIRST_WAIT + 1


def test_two_servers_over_one_database_count_the_same_failures(site, helpers, settings, hands) -> None:
    other = helpers.Running(settings, hands).start()
    try:
        for n in range(attempts.BY_NAME.free):
            assert enter((site, other)[n % 2], "admin", "wrong password").status_code == 401
        assert [enter(server, "admin").status_code for server in (site, other)] == [429, 429]
        hands.turn(minutes=2)
        assert enter(other, "admin").status_code == 303
        assert enter(site, "admin", "wrong password").status_code == 401, "forgotten here, too"
    finally:
        other.stop()


def test_neither_names_nor_addresses_of_failures_are_stored_in_plain_text(site) -> None:
    enter(site, "my-password-by-mistake", "wrong password")
    rows = site.desk.store.read(lambda tx: [dict(row) for row in tx.all("SELECT * FROM sign_in_failure")]).result()
    assert len(rows) == 2
    assert "my-password" not in str(rows) and "127.0.0.1" not in str(rows)


def test_a_session_ends_after_twelve_hours_of_rest_but_not_in_use(site, hands) -> None:
    cookies = enter(site, "admin").cookies
    for _ in range(3):
        hands.turn(hours=8)
        assert console(site, cookies).status_code == 200
    hands.turn(hours=12, seconds=1)
    assert console(site, cookies).status_code == 303
    assert timedelta(hours=12) == accounts.SESSION


def test_disabling_an_account_ends_its_sessions_and_frees_its_counter(site, helpers) -> None:
    add(site, "lan")
    cookies = enter(site, "lan").cookies
    csrf = re.search(r'data-csrf="([^"]+)"', console(site, cookies).text)[1]
    headers = {"x-csrf-token": csrf, "idempotency-key": "open-counter-1"}
    opened = requests.post(
        f"{site.url}/console/api/open", json={"counter": "1"}, headers=headers, cookies=cookies, timeout=30
    )
    assert opened.status_code == 200, opened.text
    session = requests.Session()
    session.cookies.update(cookies)
    stream = helpers.Listener(f"{site.url}/console/events", session)
    helpers.until(lambda: stream.states() and stream.states()[-1].get("counter") == "1")
    do(site, lambda floor: accounts.set_disabled(floor, "admin", "lan", disabled=True))
    helpers.until(lambda: stream.states()[-1].get("signed_out"))
    assert console(site, cookies).status_code == 303
    assert events(site, "counter_closed")[-1]["actor"] == "admin"
    do(site, lambda floor: accounts.set_disabled(floor, "admin", "lan", disabled=False))
    assert console(site, cookies).status_code == 303, "the old session does not come back"
    assert enter(site, "lan").status_code == 303


def test_a_new_password_signs_out_and_the_old_one_is_refused(site) -> None:
    cookies = enter(site, "admin").cookies
    stored = accounts._hash("quite another password", "")
    do(site, lambda floor: accounts.set_password(floor, "admin", "admin", stored))
    assert console(site, cookies).status_code == 303
    assert enter(site, "admin").status_code == 401
    assert enter(site, "admin", "quite another password").status_code == 303


def test_the_last_administrator_can_neither_be_disabled_nor_demoted(site) -> None:
    for deed in (
        lambda floor: accounts.set_disabled(floor, "admin", "admin", disabled=True),
        lambda floor: accounts.set_role(floor, "admin", "admin", "officer"),
    ):
        with pytest.raises(Refused, match="last_administrator"):
            do(site, deed)
    add(site, "second", "administrator")
    do(site, lambda floor: accounts.set_role(floor, "second", "admin", "officer"))


def test_the_command_line_lets_a_shut_out_administrator_in_again(site) -> None:
    add(site, "second", "administrator")
    do(site, lambda floor: accounts.set_disabled(floor, "second", "admin", disabled=True))
    accounts.add_first_administrator(site.desk.store, CENTRE, "admin", "a password that is new")
    assert enter(site, "admin", "a password that is new").status_code == 303


def test_roles_are_ordered_and_a_session_counts_only_in_its_centre(site) -> None:
    assert [role for role in accounts.ROLES if _account("supervisor").may(role)] == ["officer", "supervisor"]
    with pytest.raises(Refused) as refused:
        accounts.require(_account("officer"), "supervisor")
    assert refused.value.status == 403
    cookies = enter(site, "admin").cookies
    elsewhere = requests.get(f"{site.url}/c/elsewhere/console", cookies=cookies, timeout=30, allow_redirects=False)
    assert elsewhere.status_code == 404


def _account(role: str) -> accounts.Account:
    return accounts.Account("i", CENTRE, "n", "N", role, "s", "c")


def test_every_change_is_audited_without_secrets(site) -> None:
    add(site, "lan")
    stored = accounts._hash("quite another password", "")
    do(site, lambda floor: accounts.set_password(floor, "admin", "lan", stored))
    do(site, lambda floor: accounts.set_role(floor, "admin", "lan", "supervisor"))
    do(site, lambda floor: accounts.set_disabled(floor, "admin", "lan", disabled=True))
    enter(site, "admin")
    kinds = ("account_added", "account_password", "account_role", "account_disabled", "signed_in")
    told = events(site, *kinds)
    assert [row["kind"] for row in told] == ["account_added", *kinds]
    assert all(row["actor"] for row in told)
    assert "argon2" not in str(told)


@pytest.mark.parametrize("password", ["short", "aaaaaaaaaaaaaa", "lan lan lan lan"])
async def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(Refused, match="weak_password"):
        await accounts.hashed(password, "lan")


async def test_a_password_fits_however_the_keyboard_composes_its_marks() -> None:
    composed, decomposed = "mật khẩu tiếng Việt", "ma\u0323\u0302t kha\u0302\u0309u tie\u0302\u0301ng Vie\u0323\u0302t"
    assert await accounts.fits(decomposed, await accounts.hashed(composed))


def test_a_form_of_another_site_cannot_sign_anybody_in(site) -> None:
    assert enter(site, "admin", **{"sec-fetch-site": "cross-site"}).status_code == 403


def test_signing_out_needs_the_token_of_the_page_and_frees_the_session(site) -> None:
    cookies = enter(site, "admin").cookies
    csrf = re.search(r'data-csrf="([^"]+)"', console(site, cookies).text)[1]
    url = f"{site.url}/sign-out"
    assert requests.post(url, cookies=cookies, timeout=30).status_code == 403
    assert requests.post(url, cookies=cookies, headers={"x-csrf-token": csrf}, timeout=30).status_code == 200
    assert console(site, cookies).status_code == 303
