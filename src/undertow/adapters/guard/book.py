"""The guard's book in two copies: a store's folder `state/`, and a folder beside the store.

    write   the whole change into `guard.pending.json`; then trail, memory, controls, each in both copies; then that file goes
    death   whoever holds the lock next carries out what is pending: entries that are there, and controls of a version that is in force, are
            not written again. So a change is made as a whole or not at all, whenever its process dies
    harm    a copy that cannot be written is left behind, logged, and brought up to date by the next write that reaches it; what is read is put
            together from both. Both lost is a fresh start

Whoever writes holds locks in both folders that the kernel frees when its process ends.
"""

import fcntl
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from undertow.adapters.guard.controls import find_controls, guard_folder, read_controls, write_controls
from undertow.adapters.guard.trail import append_trail, merged, read_trail
from undertow.adapters.guard.versions import read_versions
from undertow.adapters.ownership import make_folders, open_or_make
from undertow.adapters.whole_file import PRIVATE, write_whole
from undertow.errors import ConfigError
from undertow.records.guard import (
    CONTROLS,
    GUARD_LOCK,
    GUARD_MEMORY,
    TRAIL,
    Controls,
    GuardMemory,
    PolicyVersion,
    TrailEntry,
)

log = logging.getLogger("undertow.guard")

PENDING = "guard.pending.json"
MEMORY_SCHEMA = "undertow.guard/1"


class _Kept(GuardMemory, frozen=True, kw_only=True):
    """The memory as it is kept: numbered, so that of two copies the later one is known whatever clocks say."""

    number: int = 0


class _Pending(msgspec.Struct, frozen=True, kw_only=True):
    """A change that is being written."""

    controls: Controls | None
    memory: _Kept
    entries: tuple[TrailEntry, ...]


@dataclass(frozen=True, slots=True)
class _Copy:
    """Where the files of one copy are, and the store that they are of: its owner gets what root makes here."""

    folder: Path
    store: Path

    @property
    def controls(self) -> Path:
        return self.folder / Path(CONTROLS).name

    @property
    def trail(self) -> Path:
        return self.folder / Path(TRAIL).name

    @property
    def memory(self) -> Path:
        return self.folder / Path(GUARD_MEMORY).name

    @property
    def lock(self) -> Path:
        return self.folder / Path(GUARD_LOCK).name

    @property
    def pending(self) -> Path:
        return self.folder / PENDING


class StoreGuardBook:
    """Implements `undertow.ports.guard.GuardBook` in local folders.

    Args:
        store: The store's root folder.

    Examples:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     book = StoreGuardBook(Path(folder, "store"))
        ...     with book.locked() as is_mine:
        ...         book.write(Controls(version=1, at="t"), GuardMemory(at="t"), [])
        ...     (is_mine, book.controls().version, book.trail())
        (True, 1, ())
    """

    def __init__(self, store: Path) -> None:
        self._store = store
        self._beside = guard_folder(store)
        self._copies = (_Copy((store / CONTROLS).parent, store), _Copy(self._beside, store))

    @contextmanager
    def locked(self) -> Iterator[bool]:
        """Keep all others from writing; False: another holds it. What a process that died in the middle of a change left is carried out.

        Raises:
            OSError: Neither copy can be locked.
            ConfigError: What is left of a change cannot be carried out.
        """
        with ExitStack() as held:
            failures: list[OSError] = []
            for copy in self._copies:
                try:
                    fd = _opened(copy)
                except OSError as error:
                    failures.append(error)
                    continue
                held.callback(os.close, fd)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    yield False
                    return
            if len(failures) == len(self._copies):
                raise failures[0]
            for error in failures:
                _log_failed(Path(error.filename or "?"), error)
            self._recover()
            yield True

    def controls(self) -> Controls | None:
        """What is in force: of the two copies the one with the higher version; None: nothing ever was.

        Raises:
            ConfigError: There are copies, and none can be read.
        """
        found = find_controls(self._store)
        if found.are_unreadable:
            said = "; ".join(f"{path}: {why}" for path, why in found.problems.items())
            raise ConfigError(f"{said}; repair it, or move it away to begin without any restriction")
        for path, why in found.problems.items():
            log.warning("guard_copy_unreadable", extra={"path": path, "why": why})
        return found.controls

    def trail(self) -> tuple[TrailEntry, ...]:
        """The audit trail, oldest first, both copies put together; a last line that a dying process cut is left out.

        Raises:
            ConfigError: A copy has a line before the last that is no entry, and the other copy does not make up for it.
        """
        copies = [read_trail(copy.trail) for copy in self._copies]
        broken = [copy.problem for copy in copies if copy.problem is not None]
        if broken and not any(copy.problem is None and copy.entries for copy in copies):
            raise ConfigError(f"{'; '.join(broken)}; repair the line, or move the file away")
        for problem in broken:
            log.warning("guard_copy_unreadable", extra={"why": problem})
        return merged(copy.entries for copy in copies)

    def memory(self) -> GuardMemory | None:
        """Where the guard stands: the later one of the two copies; None: it has not begun.

        Raises:
            ConfigError: There are copies, and none can be used.
        """
        kept = self._kept()
        if kept is None:
            return None
        return GuardMemory(**{name: getattr(kept, name) for name in GuardMemory.__struct_fields__})

    def write(self, controls: Controls | None, memory: GuardMemory, entries: Sequence[TrailEntry]) -> None:
        """Note what was done; only while `locked`.

        Args:
            controls: What is in force from now on, with a higher version than before; None: as before.
            memory: Where the guard stands.
            entries: New lines of the trail.

        Raises:
            OSError: Neither copy could be written.
            ConfigError: A copy of what was before cannot be read, and neither can the other.
        """
        before = self._kept()
        held = self.controls()
        assert controls is None or held is None or controls.version > held.version, (
            "each change of controls has a version of its own"
        )
        fields = {name: getattr(memory, name) for name in GuardMemory.__struct_fields__}
        kept = _Kept(**fields, number=1 + (0 if before is None else before.number))
        pending = _Pending(controls=controls, memory=kept, entries=tuple(entries))
        document = msgspec.json.encode(pending)
        reached = _each(self._copies, lambda copy: _placed(copy, document))
        self._carry_out(pending, reached)

    def versions(self) -> tuple[PolicyVersion, ...]:
        """All versions of policies that have served, oldest first. Files that are none are left out and logged."""
        found, problems = read_versions(self._beside)
        for problem in problems:
            log.warning("policy_version_unreadable", extra={"why": problem})
        return found

    # -- how it is written

    def _carry_out(self, change: _Pending, copies: Sequence[_Copy]) -> None:
        """Bring copies up to date with a change, the trail first and the controls last. Repeating it does nothing more."""
        trails = {copy: read_trail(copy.trail) for copy in self._copies}
        known = merged([*(trail.entries for trail in trails.values()), change.entries])
        held = find_controls(self._store).controls
        controls = (
            held if change.controls is None or (held and held.version >= change.controls.version) else change.controls
        )
        before = self._kept()
        memory = before if before is not None and before.number >= change.memory.number else change.memory
        document = msgspec.json.format(msgspec.json.encode(memory), indent=1) + b"\n"

        def note_trail(copy: _Copy) -> None:
            there = {entry.id for entry in trails[copy].entries}
            append_trail(copy.trail, trails[copy], [entry for entry in known if entry.id not in there])

        def note_controls(copy: _Copy) -> None:
            if controls is not None and read_controls(copy.controls)[0] != controls:
                write_controls(copy.controls, controls)

        copies = _each(copies, note_trail)
        copies = _each(copies, lambda copy: write_whole(copy.memory, document, PRIVATE))
        copies = _each(copies, note_controls)
        _each(copies, lambda copy: copy.pending.unlink(missing_ok=True))

    def _recover(self) -> None:
        """Carry out what a process that died was about to write."""
        for copy in self._copies:
            try:
                document = copy.pending.read_bytes()
            except OSError:
                continue
            try:
                change = msgspec.json.decode(document, type=_Pending)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                log.warning("guard_copy_unreadable", extra={"path": str(copy.pending)})
                continue
            log.warning("guard_change_carried_out", extra={"path": str(copy.pending)})
            self._carry_out(change, _each(self._copies, _make))

    def _kept(self) -> _Kept | None:
        best: _Kept | None = None
        problems: list[str] = []
        for copy in self._copies:
            kept, problem = _read_memory(copy.memory)
            if problem is not None:
                problems.append(problem)
            elif kept is not None and (best is None or kept.number > best.number):
                best = kept
        if problems and best is None:
            raise ConfigError(f"{'; '.join(problems)}; move it away, and rollouts begin anew")
        for problem in problems:
            log.warning("guard_copy_unreadable", extra={"why": problem})
        return best


def _each(copies: Sequence[_Copy], do: Callable[[_Copy], object]) -> tuple[_Copy, ...]:
    """Do something to each copy; those to which it could be done.

    Raises:
        OSError: It could be done to none.
    """
    reached: list[_Copy] = []
    last: OSError | None = None
    for copy in copies:
        try:
            do(copy)
        except OSError as error:
            last = error
            _log_failed(copy.folder, error)
        else:
            reached.append(copy)
    if not reached:
        assert last is not None, "there is at least one copy"
        raise last
    return tuple(reached)


def _make(copy: _Copy) -> None:
    # The folder beside the store may stand in one of root's.
    make_folders(copy.folder, like=copy.store if copy.store.exists() else None)


def _placed(copy: _Copy, document: bytes) -> None:
    _make(copy)
    write_whole(copy.pending, document, PRIVATE)  # places may be named by words of users


def _opened(copy: _Copy) -> int:
    """The open lock file. A folder that cannot be written any more may still hold one that another process has locked."""
    try:
        _make(copy)
        return open_or_make(copy.lock, os.O_RDWR, 0o640)
    except OSError:
        try:
            return os.open(copy.lock, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            pass
        raise


def _read_memory(path: Path) -> tuple[_Kept | None, str | None]:
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        return None, f"{path}: cannot be read ({error.strerror or type(error).__name__})"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return None, f"{path}: is no memory of the guard ({str(error)[:200]})"
    if kept.schema != MEMORY_SCHEMA:
        return None, f"{path}: is of schema {kept.schema[:60]!r}; this version reads {MEMORY_SCHEMA!r}"
    return kept, None


def _log_failed(path: Path, error: OSError) -> None:
    log.warning("guard_copy_unwritable", extra={"path": str(path), "why": error.strerror or type(error).__name__})
