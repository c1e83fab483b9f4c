"""Where in a user's file an exception came from."""

import traceback


def culprit(error: BaseException, file: str) -> str:
    """`file, line n`: the deepest line of `file` that the exception passed; `file` alone if it passed none."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f"{file}, line {lines[-1]}" if lines else file
