"""Run one Pulumi program: `program.py SETTINGS PATH [arguments]`. Started by host.py."""

import asyncio
import json
import logging
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import pulumi
import pulumi.runtime

ALREADY_TOLD = 32
THREADS_A_REGISTRATION = 4


def main() -> int:
    settings, program = json.loads(sys.argv[1]), sys.argv[2]
    sys.argv = sys.argv[2:]
    pulumi.runtime.set_all_config(
        pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env()
    )
    pulumi.runtime.configure(pulumi.runtime.Settings(**settings))
    # Futures that a failure left behind are not news.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)

    def run() -> None:
        # As in the official host, the program's folder is importable only while it runs.
        runpy.run_path(program, run_name="__main__")

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # Each registration waits in a thread of its own.
    with ThreadPoolExecutor(max(settings["parallel"], 1) * THREADS_A_REGISTRATION) as executor:
        loop.set_default_executor(executor)
        try:
            loop.run_until_complete(pulumi.runtime.run_in_stack(run))
        except pulumi.RunError as error:  # the program's own words for the user
            pulumi.log.error(str(error))
            return ALREADY_TOLD
        except Exception as error:  # noqa: BLE001  (whatever it is, the user sees it)
            pulumi.log.error(f"Program failed with an unhandled exception:\n{told(error, program)}")
            return ALREADY_TOLD
    return 0


def told(error: Exception, program: str) -> str:
    """The traceback from the program's first frame on, without those that led to it."""
    own = frames = error.__traceback__
    while own is not None and not belongs(own, program):
        own = own.tb_next
    return "".join(traceback.format_exception(type(error), error, own or frames))


def belongs(frame: TracebackType, program: str) -> bool:
    file = Path(frame.tb_frame.f_code.co_filename)
    return Path(program) in (file, file.parent)


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.exit(status)
