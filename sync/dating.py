"""What the kiosk knows of the date without trusting its clock: enough to say in words that the clock is wrong.

Nothing is decided by it. Sealing and order need no date; TLS does, and its verification is never weakened.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

RELEASED = datetime(2026, 11, 23, tzinfo=UTC)
"""When this program was made: it is never earlier. Moved with each release."""
TOLERANCE = timedelta(minutes=5)


def behind(earliest: datetime) -> str:
    """What is wrong if the clock shows less than what is known to have been; empty: nothing."""
    now, earliest = datetime.now(UTC), max(earliest, RELEASED)
    if now >= earliest - TOLERANCE:
        return ""
    return _wrong(now, f"đã qua {earliest:%d/%m/%Y}", f"and it is {earliest:%Y-%m-%d} or later")


def refused(earliest: datetime, certificate: Path) -> str:
    """What is wrong with the clock when TLS was refused for a date; empty if the clock is not to blame.

    A certificate of ours that would have ended as well is no proof, but a reason to look at the clock first.
    """
    days = _days(certificate)
    if days is None:
        return behind(earliest)
    begins, ends = days
    now = datetime.now(UTC)
    if now > ends:
        why_vi, why_en = f"chứng thư của máy hết hạn {ends:%d/%m/%Y}", f"our certificate ended on {ends:%Y-%m-%d}"
        return _wrong(now, why_vi, why_en, sure=False)
    return behind(max(earliest, begins))


def offset(theirs: datetime) -> str:
    """What is wrong if the clock differs from the receiver's; empty within TOLERANCE."""
    now = datetime.now(UTC)
    minutes = round(abs((now - theirs).total_seconds()) / 60)
    if abs(now - theirs) <= TOLERANCE:
        return ""
    late, en = ("chậm", "behind") if now < theirs else ("nhanh", "ahead of")
    return _wrong(now, f"{late} {minutes} phút", f"{minutes} min {en} the receiver's")


def certificate_days(certificate: Path) -> int:
    """Whole days until it ends by this machine's clock; -1 if it has, or cannot be read."""
    days = _days(certificate)
    return max(-1, (days[1] - datetime.now(UTC)).days) if days else -1


def _days(certificate: Path) -> tuple[datetime, datetime] | None:
    try:
        read = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError):
        return None
    return read.not_valid_before_utc, read.not_valid_after_utc


def _wrong(now: datetime, why_vi: str, why_en: str, *, sure: bool = True) -> str:
    vi, en = ("sai", "is wrong") if sure else ("có lẽ sai", "may be wrong")
    vi = f"đồng hồ của máy {vi}: máy ghi {now:%d/%m/%Y %H:%M} UTC, {why_vi}"
    return f"{vi} / this kiosk's clock {en}: it says {now:%Y-%m-%d %H:%M} UTC, {why_en}"
