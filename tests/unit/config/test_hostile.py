"""Files that nobody means well with, and certificates that are none."""

from tests.unit.config.conftest import Configured

LEVELS = 11


def test_aliases_of_aliases_are_refused_before_they_are_expanded(load: Configured) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for level in range(1, LEVELS):
        inner = ", ".join([f"*a{level - 1}"] * 9)
        lines.append(f"a{level}: &a{level} [{inner}]")
    (fault,) = load.faults("\n".join(lines))
    assert "once its aliases are expanded" in fault


def test_a_file_nested_too_deeply_is_a_fault(load: Configured) -> None:
    (fault,) = load.faults("server: " + "[" * 5000)
    assert "is nested too deeply" in fault


def test_a_key_that_is_none_is_a_fault_of_the_configuration(load: Configured) -> None:
    for name in ("tls.crt", "tls.key"):
        (load.directory / name).write_text("nothing of the kind")
    faults = load.faults("server: {tls: {cert_file: tls.crt, key_file: tls.key}}")
    assert any("server.tls.key_file" in fault and "no PEM key" in fault for fault in faults)
