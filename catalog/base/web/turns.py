"""Whose turn it is: each host at its own pace, and not before it said that it wants to be asked again."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable


class HeldError(Exception):
    """A host wants more time than anybody waits; ``seconds`` of it are left."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"held for {seconds:.0f} seconds")
        self.seconds = seconds


class Turns:
    """When each host may be asked. All threads share it, so that what one is told holds for all."""

    def __init__(self, patience: float, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        """Prepare to wait.

        Args:
            patience: the most seconds for which a host may hold everybody up before it serves somebody again.
            sleep: lets seconds pass.
            clock: seconds since whenever.
        """
        self._patience, self._sleep, self._clock = patience, sleep, clock
        self._lock = threading.Lock()
        self._next: dict[str, float] = {}
        """The first free turn of each host."""
        self._until: dict[str, float] = {}
        """When each host that asked for time may be asked again."""
        self._waited: defaultdict[str, float] = defaultdict(float)
        """Seconds for which each host has held everybody up since it last served somebody."""
        self._served: defaultdict[str, int] = defaultdict(int)

    def take(self, host: str, interval: float) -> None:
        """Wait until a host may be asked.

        Args:
            host: its name.
            interval: seconds until the turn after this one.

        Raises:
            HeldError: that would be too long.
        """
        while True:
            with self._lock:
                now = self._clock()
                until = self._until.get(host, now)
                if until > now and max(self._waited[host], until - now) > self._patience:
                    raise HeldError(until - now)
                turn = max(now, self._next.get(host, now), until)
                self._next[host] = turn + interval
            if turn > now:
                self._sleep(turn - now)
            with self._lock:
                # Somebody may have been told to wait since; the clock is not asked, for sleep may be a test's.
                if self._until.get(host, turn) <= turn:
                    return

    def hold(self, host: str, seconds: float) -> tuple[bool, bool]:
        """A host asked for time: nobody asks it anything before.

        Answers to requests that were under way together ask for the same time again, which counts once.

        Returns:
            whether it is worth waiting, and whether this is news.
        """
        with self._lock:
            now = self._clock()
            before = max(now, self._until.get(host, now))
            self._until[host] = max(before, now + seconds)
            self._waited[host] += self._until[host] - before
            return max(self._waited[host], self._until[host] - now) <= self._patience, before == now

    def served(self, host: str) -> None:
        """A host answered somebody as it should: patience begins anew."""
        with self._lock:
            self._served[host] += 1
            self._waited.pop(host, None)

    def times_served(self, host: str) -> int:
        """How many answers of a host were as they should."""
        with self._lock:
            return self._served[host]
