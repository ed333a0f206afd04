"""The ledger by month, segment, version and tier, made when somebody looks at it: it takes a reading of the log of its own.

Pages never wait for it. The first to ask starts a thread; until that is done the page says so, and afterwards shows what it found. A book is made
anew when the log has grown, no oftener than a small part of the time is spent on it.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from undertow.bootstrap.audit import AuditRequest
from undertow.bootstrap.dashboard import LAST_STEP_S, StoppedError
from undertow.bootstrap.ledger import run_ledger
from undertow.errors import UndertowError
from undertow.ports.audit_source import Progress
from undertow.records.money import Book

log = logging.getLogger("undertow.dashboard")

REST = 10.0
"""A book is made anew after so many times what the last one took."""

MakeBook = Callable[[AuditRequest, Progress], Book]


@dataclass(frozen=True, slots=True)
class BookSeen:
    """Where it stands.

    Attributes:
        book: The last book, or None: there is none yet.
        is_making: One is being made.
        what: What that does, in words.
        problem: Why the last one failed, in one line; empty: it did not.
    """

    book: Book | None = None
    is_making: bool = False
    what: str = ""
    problem: str = ""


class BookView:
    """The book of a log. Its methods may be called from any thread.

    Args:
        request: What is read, and how.
        make: Makes a book.
        monotonic: Seconds of a clock that is never set.
    """

    def __init__(
        self, request: AuditRequest, make: MakeBook = run_ledger, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._request, self._make, self._monotonic = request, make, monotonic
        self._lock = threading.Lock()
        self._seen = BookSeen()
        self._key: object = None
        self._not_before = float("-inf")
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def ask(self, key: object) -> BookSeen:
        """What there is by now; begins a new book where the log is another one than that of the last.

        Args:
            key: Of the reading of the log that the page shows; another one than the last says that the log has grown.
        """
        with self._lock:
            is_due = key != self._key and self._monotonic() >= self._not_before
            if is_due and not self._seen.is_making and not self._stop.is_set():
                self._seen = BookSeen(self._seen.book, True, "reading costs and outcomes", self._seen.problem)
                self._thread = threading.Thread(target=self._run, args=(key,), name="book-view", daemon=True)
                self._thread.start()
            return self._seen

    def wait(self, timeout_s: float) -> None:
        """Wait until the book that is being made is there, or the time is over."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def stop(self) -> None:
        """Give up the book that is being made, and begin no other."""
        with self._lock:
            self._stop.set()
        self.wait(LAST_STEP_S)

    def _run(self, key: object) -> None:
        began = self._monotonic()
        book, problem = self._seen.book, ""
        try:
            book = self._make(self._request, self._tell)
        except StoppedError:
            pass
        except UndertowError as error:
            problem = str(error)
        except OSError as error:
            problem = f"the log cannot be read ({error.strerror or type(error).__name__})"
        except Exception as error:  # the page goes on showing the last book
            log.exception("book_not_made")
            problem = f"the ledger could not be made ({type(error).__name__}); the dashboard's log says why"
        with self._lock:
            now = self._monotonic()
            self._key, self._not_before = key, now + REST * (now - began)
            self._seen = BookSeen(book, problem=problem)

    def _tell(self, stage: str, done: float, total: float | None) -> None:
        del done, total
        if self._stop.is_set():
            raise StoppedError
        with self._lock:
            self._seen = BookSeen(self._seen.book, True, stage, self._seen.problem)
