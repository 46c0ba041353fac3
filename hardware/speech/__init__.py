"""Speech to the citizen."""

from hardware.speech.speaker import EspeakSpeaker

__all__ = ["EspeakSpeaker"]
