"""Run one Pulumi program: `program.py '{settings}' PATH [arguments]`. Started by host.py."""

import asyncio
import json
import logging
import os
import runpy
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor

import pulumi
import pulumi.runtime

ALREADY_TOLD = 32
THREADS_A_REGISTRATION = 4


def main() -> int:
    settings, program = json.loads(sys.argv[1]), sys.argv[2]
    if os.path.isdir(program):
        program = os.path.join(program, "__main__.py")
    sys.argv = sys.argv[2:]
    sys.path[0] = os.path.dirname(program)  # the program imports its own modules, not ours
    pulumi.runtime.set_all_config(pulumi.runtime.get_config_env(), pulumi.runtime.get_config_secret_keys_env())
    pulumi.runtime.configure(pulumi.runtime.Settings(**settings))
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # futures abandoned by a failure are not news
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # Each registration waits in a thread of its own.
    with ThreadPoolExecutor(max(settings["parallel"], 1) * THREADS_A_REGISTRATION) as executor:
        loop.set_default_executor(executor)
        try:
            loop.run_until_complete(
                pulumi.runtime.run_in_stack(lambda: runpy.run_path(program, run_name="__main__"))
            )
        except pulumi.RunError as error:  # the program's own words for the user
            pulumi.log.error(str(error))
            return ALREADY_TOLD
        except Exception:
            pulumi.log.error("Program failed with an unhandled exception:\n" + own_frames(program))
            return ALREADY_TOLD
    return 0


def own_frames(program: str) -> str:
    """The traceback from the program's first frame on."""
    text = traceback.format_exc()
    start = f'  File "{program}"'
    return start + text.split(start, 1)[1] if start in text else text


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.exit(status)
