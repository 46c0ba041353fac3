"""Guards of the layout: what must never creep back in."""

import queue
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def tracked(*patterns):
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def test_the_standard_library_s_queue_is_not_shadowed():
    assert queue.SimpleQueue.__module__ == "_queue"
    assert not (ROOT / "queue" / "__init__.py").exists()
    assert not list((ROOT / "tests").rglob("__init__.py"))
    code = "import queue, urllib3, concurrent.futures; queue.Queue; import kiosk_queue, kiosk.config"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_server_needs_neither_kivy_nor_opencv():
    code = (
        "import sys; import kiosk_queue.server, sync.receiver.server, sync.tthc_model.server, kiosk.cli; "
        "print([m for m in ('kivy', 'cv2', 'smartcard', 'escpos', 'serial') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_the_core_imports_no_toolkit():
    code = (
        "import sys, kiosk.reception; print([m for m in ('kivy', 'cv2', 'starlette', 'requests') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_no_module_is_too_long():
    long = {p.name: n for p in tracked("*.py") if (n := len(p.read_text("utf-8").splitlines())) > 600}
    assert not long


def test_only_our_own_work_is_in_the_tree():
    assert not tracked("*.ttf", "*.otf", "*.woff*", "*.min.js", "*.whl", "*.onnx")
    index = re.compile(r"https?://[^\s\"]*(pypi|pythonhosted|npmjs|deb\.debian)")
    for path in tracked("*.py", "*.toml", "*.lock", "*.txt", "*.md", "Makefile", "scripts/*"):
        assert not index.search(path.read_text("utf-8")), path


def test_the_configuration_page_is_up_to_date():
    subprocess.run([sys.executable, str(ROOT / "scripts" / "config-docs"), "--check"], check=True)
