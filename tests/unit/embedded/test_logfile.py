"""Log files that children write by themselves."""

import os
from pathlib import Path

from portal.embedded.logfile import LogFile, without_frames


def test_only_whole_new_lines_are_read(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    (tmp_path / "a.log").write_text("from an earlier run\n")
    descriptor = log.open()
    os.write(descriptor, b"one\ntw")
    assert log.new_lines() == ["one"]
    os.write(descriptor, b"o\n")
    assert log.new_lines() == ["two"]
    os.close(descriptor)


def test_a_large_file_is_kept_once_and_emptied_under_its_writer(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log", limit_bytes=10)
    descriptor = log.open()
    os.write(descriptor, b"0123456789ab\n")
    log.rotate()
    os.write(descriptor, b"next\n")
    os.close(descriptor)
    assert (tmp_path / "a.log").read_text() == "next\n"
    assert (tmp_path / "a.log.1").read_text() == "0123456789ab\n"
    assert log.new_lines() == ["next"]


def test_a_small_file_is_left_alone(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "a.log")
    log.rotate()
    (tmp_path / "a.log").write_text("x\n")
    log.rotate()
    assert [path.name for path in tmp_path.iterdir()] == ["a.log"]


def test_last_lines_leave_out_empty_ones(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("a\nb\n\nc\n\n")
    assert LogFile(tmp_path / "a.log").last_lines(2) == ["b", "c"]
    assert LogFile(tmp_path / "none.log").last_lines(2) == []


def test_last_words_are_messages_without_the_code_they_came_from(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(
        "starting\nTraceback (most recent call last):\n"
        '  File "a.py", line 1, in <module>\n    connect()\n    ~~~~~~~^^\nOSError: refused\n\n'
        "The above exception was the direct cause of the following exception:\n\n"
        'Traceback (most recent call last):\n  File "b.py", line 2, in f\n    g()\n'
        "OperationalError: connection refused\n\tIs the server running?\n"
    )
    assert LogFile(tmp_path / "a.log").last_words(12) == [
        "starting",
        "OSError: refused",
        "OperationalError: connection refused",
        "\tIs the server running?",
    ]


def test_indented_lines_outside_a_traceback_are_kept() -> None:
    assert without_frames(["usage:", "    --port PORT"]) == ["usage:", "    --port PORT"]
