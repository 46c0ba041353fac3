"""What every page needs: templates, strict headers, whether a request comes from our own page, fields of forms."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kiosk.clock import from_iso, shown
from sync import serving

HERE = Path(__file__).parent
LARGEST_FORM = 16 * 1024

_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
    " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}

_templates = Environment(
    loader=FileSystemLoader(HERE / "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["moment"] = lambda stored: shown(from_iso(stored))


def page(template: str, status: int = 200, **values: object) -> HTMLResponse:
    """A rendered page."""
    return HTMLResponse(_templates.get_template(template).render(**values), status)


def require_own_page(request: Request) -> None:
    """Raise HTTPException 403 unless the form was sent by a page of this very server."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin", "")
    own = urlsplit(origin).netloc == request.headers.get("host")
    if not own or site not in (None, "same-origin"):
        raise HTTPException(403, "Yêu cầu không đến từ trang này.")


async def form(request: Request) -> dict[str, str]:
    """The fields of a form, stripped. Raises HTTPException."""
    content = await serving.body(request, LARGEST_FORM)
    try:
        fields = parse_qs(content.decode(), max_num_fields=20, keep_blank_values=True)
    except ValueError:
        raise HTTPException(400, "Yêu cầu không hợp lệ.") from None
    return {name: values[0].strip() for name, values in fields.items()}


class Headers:
    """ASGI middleware: the same strict headers on every answer."""

    def __init__(self, app: ASGIApp, *, tls: bool) -> None:
        self._app = app
        self._headers = _HEADERS | ({"strict-transport-security": "max-age=31536000"} if tls else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, completing the headers of the answer."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers[name] = value
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
