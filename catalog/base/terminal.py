"""The frame of a command line: what people typed never ends in a traceback, nor does a terminal that went away.

Both commands, ``catalog`` and ``unlearn``, run in it. Exit status: 0 fine, 1 problems were found, 2 wrong use or
what cannot be done, 130 interrupted, 143 asked to end.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, TextIO

from catalog.base.text import shorten, to_json

TERMINATED = 128 + 15
"""The exit status of what was asked to end, as shells say it."""


class UsageError(Exception):
    """What was asked for does not exist or cannot be; the message says what to do."""


def run(name: str, app: Callable[[], object], expected: tuple[type[Exception], ...] = ()) -> None:
    """Run a command line to its end.

    Args:
        name: of the command, before messages.
        app: what parses the arguments and does the work.
        expected: further errors whose message is for people.
    """
    # Started with a stream closed (`>&-`), Python has none there.
    sys.stdout, sys.stderr = sys.stdout or _nowhere(), sys.stderr or _nowhere()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show a letter shows its number.
            stream.reconfigure(errors="backslashreplace")
    _end_gently()
    told: tuple[type[Exception], ...] = (UsageError, *expected)
    try:
        try:
            _check_words(sys.argv[1:])
            app()
        except told as error:
            _stop(name, str(error))
        except UnicodeEncodeError as error:
            _stop(name, _NO_TEXT.format(shorten(str(error.object))))
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        _mute()
        sys.exit(0)
    except OSError as error:
        _mute()
        _stop(name, f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}")


_NO_TEXT = "'{}' is no text in UTF-8: type or paste it anew."


def _check_words(words: Sequence[str]) -> None:
    """Bytes that are no UTF-8 come as halves of letters; only files may have such names.

    Raises:
        UsageError: a word has them, and there is no such file.
    """
    for word in words:
        if not word.isascii() and any("\ud800" <= sign <= "\udfff" for sign in word) and not os.path.lexists(word):
            raise UsageError(_NO_TEXT.format(shorten(word)))


def _end_gently() -> None:
    """Let a polite request to end (what schedulers and containers send) clean up, as an interrupt does."""
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(TERMINATED))


def print_json(value: Any) -> None:
    """For scripts."""
    print(to_json(value), end="")


def say(message: str) -> None:
    """To people, beside the output proper; where nobody can be told, the exit status has to do."""
    try:
        print(message, file=sys.stderr, flush=True)
    except OSError:
        _mute()  # what is left in the buffer would fail again at the interpreter's end, with another status


def _stop(name: str, message: str) -> NoReturn:
    say(f"{name}: {message}")
    sys.exit(2)


def _nowhere() -> TextIO:
    return open(os.devnull, "w", encoding="utf-8")


def _mute() -> None:
    """Keep the interpreter from writing the rest of its buffers into streams that are gone."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
