"""Speech by espeak-ng, a program of its own: text goes in by its standard input, never on a command line."""

import asyncio
import contextlib
import re
from pathlib import Path

from hardware.device import Device
from kiosk.config import SpeechSettings
from kiosk.health import Level, Reason

PROGRAM = "espeak-ng"
VOICES = {"vi": "vi", "en": "en-gb"}
WORDS_A_MINUTE = "150"  # a little slower than its default 175: heard by everybody, in a hall
LONGEST = 2000  # letters of one utterance
QUIET_SECONDS = 120.0  # the longest time an utterance may take: a hung sound server must not pile up programs


class EspeakSpeaker(Device):
    """Speaks Vietnamese and English through the loudspeaker, or into numbered WAV files in `settings.output`."""

    name = "speech"

    def __init__(self, settings: SpeechSettings) -> None:
        super().__init__()
        self._settings = settings
        self._folder = Path(settings.output) if settings.output else None
        self._speaking: asyncio.Task[None] | None = None
        self._mouth = asyncio.Lock()  # held as long as the program runs: never two voices at once

    async def start(self) -> None:
        """Find out whether the program is there."""
        if not self._settings.enabled:
            self.publish(Level.ABSENT, Reason.NOT_CONFIGURED, "switched off by speech.enabled")
        elif await self._espeak("", ["-q"]) is not None:
            self.publish(Level.READY, Reason.OK)

    async def stop(self) -> None:
        """Fall silent."""
        self.forget()
        async with self._mouth:
            pass

    async def say(self, text: str, language: str) -> None:
        """Begin to speak and return; a new utterance replaces the present one."""
        self.forget()
        if self._settings.enabled and text.strip():
            self._speaking = asyncio.create_task(self._speak(text, language))

    def forget(self) -> None:
        """Fall silent at once."""
        if self._speaking is not None:
            self._speaking.cancel()

    async def _speak(self, text: str, language: str) -> None:
        voice = ["-v", VOICES.get(language, VOICES["vi"]), "-s", WORDS_A_MINUTE]
        async with self._mouth:
            try:
                if self._folder is None:
                    complaint = await self._espeak(text, voice)
                else:
                    complaint = await self._record(text, voice, self._folder)
            except OSError as error:
                self.publish(Level.FAULT, Reason.NO_VOICE, f"{self._folder}: {error.strerror}")
                return
        if complaint is None:
            return
        # It ends with code 0 even when no sound came out; only what it says tells.
        if "rror" in complaint:
            self.publish(Level.FAULT, Reason.NO_VOICE, f"{PROGRAM} found no sound device it can use")
        else:
            self.publish(Level.READY, Reason.OK)

    async def _record(self, text: str, voice: list[str], folder: Path) -> str | None:
        """Into the next `utterance-NNNN.wav`, whole or not at all."""
        finished = _next_file(folder)
        unfinished = finished.with_name(f"{finished.name}.part")
        try:
            complaint = await self._espeak(text, [*voice, "-w", str(unfinished)])
            if complaint is not None:
                unfinished.replace(finished)
            return complaint
        finally:
            unfinished.unlink(missing_ok=True)

    async def _espeak(self, text: str, options: list[str]) -> str | None:
        """Run the program on `text` until it ends; what it complains of, None if it cannot be run."""
        try:
            program = await asyncio.create_subprocess_exec(
                PROGRAM, *options, "-b", "1", "--stdin",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
        except OSError:
            self.publish(Level.ABSENT, Reason.NO_VOICE, f"{PROGRAM} cannot be run: install the package {PROGRAM}")
            return None
        try:
            async with asyncio.timeout(QUIET_SECONDS):
                _, complaint = await program.communicate(_spoken(text).encode())
                return complaint.decode("utf-8", "replace")
        except TimeoutError:
            return "error: it took too long"
        finally:
            if program.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    program.kill()
                await program.wait()


def _spoken(text: str) -> str:
    """Nothing in a name may command the program: «[[» would begin phonemes."""
    return re.sub(r"\[\[|\]\]", " ", text[:LONGEST])


def _next_file(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    taken = (re.fullmatch(r"utterance-(\d+)\.wav", path.name) for path in folder.iterdir())
    number = max((int(found[1]) for found in taken if found), default=0) + 1
    return folder / f"utterance-{number:04d}.wav"
