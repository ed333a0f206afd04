"""Writing a file so that a reader never sees half of it, and a failed write does not cost the old one."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from undertow.errors import ConfigError


def write_atomically(
    target: Path, content: bytes, check: Callable[[Path], object] | None = None, mode: int | None = None
) -> None:
    """Write `content` to `target`; permissions of an existing file are kept, and a link is followed.

    Args:
        target: The file.
        content: All of it.
        check: Called with the draft, which bears the target's name, before it takes the target's place; whatever it raises leaves the
            target as it was.
        mode: Permissions of a new file; None: as the process makes files.

    Raises:
        ConfigError: The file cannot be written.
    """
    try:
        place = target.resolve()
        with tempfile.TemporaryDirectory(prefix=f".{place.name}.", dir=place.parent) as folder:
            draft = Path(folder) / place.name
            draft.write_bytes(content)
            if mode is not None:
                draft.chmod(mode)
            if check is not None:
                check(draft)
            with contextlib.suppress(FileNotFoundError):
                shutil.copymode(place, draft)
            os.replace(draft, place)  # noqa: PTH105 (Path.replace is the same call; this one says that it is atomic)
    except OSError as error:
        raise ConfigError(f"{target}: cannot be written ({error.strerror or type(error).__name__})") from error
