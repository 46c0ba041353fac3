"""A wrong configuration is refused with file, key and what is allowed."""

import pytest

from kiosk.config import ConfigError, load, require, secret


@pytest.fixture
def file(tmp_path):
    def write(text):
        path = tmp_path / "kiosk.toml"
        path.write_text(text, "utf-8")
        return path

    return write


def test_defaults_and_paths_relative_to_the_file(file):
    path = file('[kiosk]\nid = "K07"\n[office]\nca = "keys/ca.pem"\n')
    settings = load(path, {})
    assert settings.kiosk.id == "K07"
    assert settings.office.ca == path.parent / "keys" / "ca.pem"
    assert settings.office.certificate == path.parent / "secrets" / "kiosk.pem"
    assert settings.printer.dots == 576


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[printer]\npaper = 80\n", ["printer.paper", "unknown", "dots"]),
        ("[pirnter]\n", ["pirnter", "unknown", "printer"]),
        ('[printer]\ndots = "wide"\n', ["printer.dots", "'wide'", "a whole number"]),
        ("[printer]\ndots = true\n", ["printer.dots", "a whole number"]),
        ("[printer]\ntimeout = -1\n", ["printer.timeout", "not below 0"]),
        ("[printer]\ncut = 1\n", ["printer.cut", "true or false"]),
        ("[card]\ncsca = 3\n", ["card.csca", "a path"]),
        ("kiosk = 3\n", ["kiosk must be a section"]),
        ("[kiosk\n", ["is not TOML"]),
    ],
)
def test_what_is_wrong_is_named(file, text, said):
    path = file(text)
    with pytest.raises(ConfigError) as error:
        load(path, {})
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    for part in said:
        assert part in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read"):
        load(tmp_path / "nowhere.toml", {})


def test_the_environment_overrides(file):
    environment = {"MOTCUA_PRINTER_DOTS": "384", "MOTCUA_PRINTER_CUT": "false", "MOTCUA_KIOSK_ID": "K99"}
    settings = load(file("[printer]\ndots = 512\n"), environment)
    assert (settings.printer.dots, settings.printer.cut, settings.kiosk.id) == (384, False, "K99")


def test_a_wrong_variable_is_named(file):
    with pytest.raises(ConfigError, match="environment: MOTCUA_PRINTER_DOTS is 'x'; allowed: a whole number"):
        load(file(""), {"MOTCUA_PRINTER_DOTS": "x"})


def test_secrets_are_read_from_files_and_their_absence_is_named(tmp_path):
    (tmp_path / "token").write_text("abc\n", "utf-8")
    (tmp_path / "token").chmod(0o600)
    assert secret(tmp_path / "token", "kiosk token") == "abc"
    with pytest.raises(ConfigError, match="kiosk token cannot be read"):
        secret(tmp_path / "none", "kiosk token")
    with pytest.raises(ConfigError, match=r"ca\.pem: certificate authority is missing"):
        require(tmp_path / "ca.pem", "certificate authority")


@pytest.mark.parametrize(
    ("lines", "refused"),
    [
        ("[face]\nenabled = true", "face_camera.source"),
        ("[face]\nthreshold = 1.5", "face.threshold"),
    ],
)
def test_comparing_faces_needs_a_camera_and_a_threshold_that_can_be_reached(file, lines, refused):
    with pytest.raises(ConfigError, match=refused):
        load(file(lines), {})
