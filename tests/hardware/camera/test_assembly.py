"""Pages become the file that is filed, through the camera's own port."""

import asyncio
import errno
import hashlib
import io
import os
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pikepdf
import pytest
from pikepdf import pdfa

from hardware.camera import DocumentCamera
from hardware.camera.assembly import Assembler, failure_of
from hardware.camera.flatten import encoded, whiten
from hardware.simulators.papers import drawn
from kiosk.config import CameraSettings
from kiosk.dossier import Document, DocumentLabel, Page
from kiosk.health import Failure, Reason
from processes import children, shared_memory

LABEL = DocumentLabel("Giấy chứng sinh", "KS02", "TAM-7K3F-92QD", datetime(2026, 11, 23, tzinfo=UTC))


def page_of(name):
    paper = whiten(np.ascontiguousarray(drawn(name)[..., ::-1]), 300)
    return Page(encoded(paper), paper.shape[1], paper.shape[0], 300)


async def test_a_document_is_whole_checked_searchable_small_and_has_its_digest():
    camera = DocumentCamera(CameraSettings(source=""), "K07")
    pages = [page_of("birth-form-2"), page_of("birth-notification-1")]
    heard = []
    document = await camera.assemble(pages, LABEL, lambda done, of: heard.append((done, of)))
    assert isinstance(document, Document), document
    assert (document.pages, document.searchable) == (2, 2)
    assert hashlib.sha256(document.data).hexdigest() == document.sha256
    assert len(document.data) < 2 * 1_000_000
    assert heard[0] == (0, 2)
    assert heard[-1] == (2, 2)
    assert heard == sorted(heard)
    assert pdfa.validate_written(io.BytesIO(document.data), "2b").passed
    text = subprocess.run(["pdftotext", "-", "-"], input=document.data, capture_output=True, check=True).stdout.decode()
    first, second = text.split("\f")[:2]
    assert "Tôi cam đoan nội dung đề nghị đăng ký khai sinh" in " ".join(first.split())
    assert "GIẤY CHỨNG SINH" in second
    with pikepdf.open(io.BytesIO(document.data)) as read:
        assert [leaf.Resources.XObject.Im0.read_raw_bytes() for leaf in read.pages] == [page.jpeg for page in pages]
        fonts = {leaf.Resources.Font[name].objgen for leaf in read.pages for name in leaf.Resources.Font}
        assert len(fonts) == 1
        assert "kiosk=K07" in str(read.docinfo["/Keywords"])


async def test_the_screen_goes_on_while_pages_are_assembled():
    pages = [page_of("petition-1")]
    slowest, last, working = 0.0, time.monotonic(), True

    async def tick():
        nonlocal slowest, last
        while working:
            await asyncio.sleep(0.005)
            slowest, last = max(slowest, time.monotonic() - last), time.monotonic()

    ticker = asyncio.create_task(tick())
    assert isinstance(await Assembler().assemble(pages, LABEL, lambda *_: None), Document)
    working = False
    await ticker
    assert slowest < 2.5


@pytest.mark.parametrize("after", [0.05, 0.5, 1.2])
async def test_an_abandoned_assembly_ends_at_once_and_leaves_no_process_and_no_file(after, tmp_path):
    pages = [page_of("birth-form-1")] * 3
    before, shared = children(), shared_memory()
    task = asyncio.create_task(Assembler().assemble(pages, LABEL, lambda *_: None))
    await asyncio.sleep(after)
    began = time.monotonic()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    assert time.monotonic() - began < 10
    assert children() <= before
    assert shared_memory() <= shared


async def test_pages_without_text_are_filed_all_the_same():
    document = await Assembler(ocr_seconds=0.05).assemble([page_of("birth-form-2")], LABEL, lambda *_: None)
    assert isinstance(document, Document)
    assert (document.pages, document.searchable) == (1, 0)


async def test_a_page_that_is_no_picture_is_a_failure_and_never_a_bad_file():
    result = await Assembler().assemble([Page(b"\xff\xd8 broken", 100, 100, 100)], LABEL, lambda *_: None)
    assert isinstance(result, Failure)
    assert result.reason is Reason.KIOSK_FAULT
    assert result.detail.startswith("not PDF/A")


async def test_no_pages_is_a_defect_of_whoever_assembles():
    with pytest.raises(ValueError, match="at least one page"):
        await Assembler().assemble([], LABEL, lambda *_: None)


def test_assembling_needs_no_disk_at_all(tmp_path):
    """In a process that may not write one byte to any file, with no folder for temporary ones."""
    page = page_of("birth-notification-1")
    (tmp_path / "page.jpg").write_bytes(page.jpeg)
    script = textwrap.dedent(f"""
        import asyncio, resource, sys
        from datetime import UTC, datetime
        from pathlib import Path
        from hardware.camera.assembly import Assembler
        from kiosk.dossier import DocumentLabel, Page
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        page = Page(Path(sys.argv[1]).read_bytes(), {page.width}, {page.height}, {page.dpi})
        label = DocumentLabel("Giấy chứng sinh", "KS02", "TAM-7K3F-92QD", datetime.now(UTC))
        document = asyncio.run(Assembler().assemble([page], label, lambda *_: None))
        print(document.pages, document.searchable, len(document.data) > len(page.jpeg))
    """)
    environment = {**os.environ, "TMPDIR": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "page.jpg")],
        capture_output=True, text=True, check=False, env=environment, cwd=Path(__file__).parents[3],
    )  # fmt: skip
    assert told.stdout == "1 1 True\n", told.stderr


def test_a_full_disk_or_memory_is_told_as_such():
    assert failure_of(OSError(errno.ENOSPC, "no space")).reason is Reason.DISK_FULL
    assert failure_of(MemoryError()).reason is Reason.DISK_FULL
    assert failure_of(OSError(errno.EIO, "broken")).reason is Reason.STORAGE_ERROR


def test_nothing_of_a_page_is_in_its_representation():
    page = Page(b"\xff\xd8" + bytes(50), 10, 10, 100)
    document = Document(b"%PDF", "ab", 1, 1)
    assert "jpeg" not in repr(page)
    assert "%PDF" not in repr(document)
    assert cv2.imdecode(np.frombuffer(page.jpeg, np.uint8), cv2.IMREAD_COLOR) is None
