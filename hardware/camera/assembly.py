"""From captured pages to the file that is filed: read, put together, checked, in the background and in memory only."""

import asyncio
import errno
import hashlib
import logging
from collections.abc import Sequence

import cv2
import numpy as np

from hardware.camera import ocr, pdf
from kiosk.dossier import Document, DocumentLabel, Page
from kiosk.health import Failure, Reason
from kiosk.ports import PagesDone

log = logging.getLogger(__name__)


class Assembler:
    """Makes documents one page at a time, whoever asks: the screen needs the other core."""

    def __init__(self, kiosk: str = "", ocr_seconds: float = ocr.SECONDS) -> None:
        self._kiosk = kiosk
        self._ocr_seconds = ocr_seconds
        self._one_core = asyncio.Lock()

    async def assemble(self, pages: Sequence[Page], label: DocumentLabel, progress: PagesDone) -> Document | Failure:
        """A checked PDF/A-2b of the pages in order, with their words where they can be read.

        `progress(done, of)` counts pages, the last one when the file is finished. Cancelled: within 0.3 s no process
        is left, and there never was a file. Raises ValueError without pages.
        """
        if not pages:
            raise ValueError("a document needs at least one page")
        layers: list[bytes | None] = []
        try:
            for page in pages:
                progress(len(layers), len(pages))
                async with self._one_core:
                    layers.append(await self._words(page))
            async with self._one_core:
                data = await asyncio.to_thread(pdf.build, tuple(pages), layers, label, self._kiosk)
        except (OSError, MemoryError) as error:
            return failure_of(error)
        except pdf.NotArchivable as error:
            log.error("a document is not PDF/A: %s", error)
            return Failure(Reason.KIOSK_FAULT, f"not PDF/A: {error}")
        progress(len(pages), len(pages))
        searchable = sum(layer is not None for layer in layers)
        return Document(data, hashlib.sha256(data).hexdigest(), len(pages), searchable)

    async def _words(self, page: Page) -> bytes | None:
        grey = await asyncio.to_thread(cv2.imdecode, np.frombuffer(page.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
        return None if grey is None else await ocr.text_layer(grey, page.dpi, self._ocr_seconds)


def failure_of(error: OSError | MemoryError) -> Failure:
    """What the machine's refusal means to the citizen; memory-backed storage is as good as a disk here."""
    if isinstance(error, MemoryError) or error.errno in (errno.ENOSPC, errno.EDQUOT, errno.ENOMEM):
        return Failure(Reason.DISK_FULL, "no room to assemble pages")
    return Failure(Reason.STORAGE_ERROR, f"assembling failed: {type(error).__name__}")
