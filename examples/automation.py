"""Deploy one stack through the gate with Pulumi's Automation API: `python examples/automation.py dev`.

Uses whatever the environment points at: your own login and accounts or, after
`eval "$(./fairweather sandbox env)"`, the embedded clouds.
"""

import sys
from pathlib import Path

from pulumi import automation

ROOT = Path(__file__).resolve().parent.parent
PACK = str(ROOT / "policypacks" / "guardrails")

stack = automation.create_or_select_stack(sys.argv[1], work_dir=str(ROOT))
try:
    preview = stack.preview(policy_packs=[PACK], color="never")
    print("preview:", preview.change_summary)
    update = stack.up(policy_packs=[PACK], color="never")
    print("update:", update.summary.resource_changes)
except automation.CommandError as error:
    sys.exit(
        "\n".join(
            line
            for line in str(error).splitlines()
            if "error:" in line or "✗" in line or "mandatory" in line
        )
    )
