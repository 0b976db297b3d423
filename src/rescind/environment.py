"""What a process is started with by its environment."""

import ctypes
import os


def forget(*names: str) -> None:
    """Remove variables, and wipe what they said: the system shows the first environment of a process for all its life.

    It shows that of one that is forked, too, which has a copy.
    """
    library = ctypes.CDLL(None)
    library.getenv.restype = ctypes.c_void_p
    for name in names:
        address = library.getenv(name.encode())
        if address is not None:
            ctypes.memset(address, 0, len(ctypes.string_at(address)))
        os.environ.pop(name, None)
