"""Activity: when members last used the API. It changes no answer, so it is written in passing, without a revision."""

import threading

from rescind.model.errors import Unavailable
from rescind.store.contract import Store

FLUSH_SECONDS = 5.0


class Activity:
    """Collects uses in memory and writes them every few seconds, from a thread of its own once it is started."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._uses: dict[int, int] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def note(self, membership: int, instant: int) -> None:
        """Remember a use, by membership."""
        with self._lock:
            self._uses[membership] = max(instant, self._uses.get(membership, 0))

    def flush(self) -> None:
        """Write what was noted. If the database cannot be had, it is tried again with the next."""
        with self._lock:
            uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            self._store.note_uses(uses)
        except Unavailable:
            for membership, instant in uses.items():
                self.note(membership, instant)

    def start(self) -> None:
        """Begin to write every few seconds."""
        self._thread = threading.Thread(target=self._run, name="activity", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write what is left, and end."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _run(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            self.flush()
