"""Where a running stack can be reached, in lines ready to be pasted."""

import os
import sys
from pathlib import Path

from deploy.local.environment import Ports, StackEnvironment
from deploy.local.folder import Folder

# Reserved for fiction by Australia's ACMA.
_CALL = (
    '{"PLA_Call_Id": "my-first-call", "PLA_Caller_Phone_Number": "+61491570266", "PLA_Dealer_Name": "Smith Law", '
    '"PLA_CallResult": "Answered", "PLA_Duration": "50s"}'
)


def address_lines(
    environment: StackEnvironment, *, ports: Ports, folder: Folder, tokens: tuple[str, ...], name: str
) -> list[str]:
    """Give the lines; ``tokens`` are those that the receiver takes, ``name`` is how the command line was called.

    Of secrets only those are shown that were made for this run.
    """
    webhook = f"{ports.receiver_url}/services/calldata"
    token = environment["DELACON_TOKEN"]
    if tokens:
        ours = "DELACON_TOKEN" in environment.made and token in tokens
        webhook += f"?token={token if ours else 'YOUR-TOKEN'}"
    user, _, password = environment["FLOWER_BASIC_AUTH"].partition(":")
    login = f"user {user}, password {password}" if "FLOWER_BASIC_AUTH" in environment.made else f"user {user}"
    lines = [
        "",
        f"Webhook    {webhook}",
        f"Flower     {ports.flower_url}  ({login})",
        f"Metrics    {ports.receiver_url}/metrics  http://127.0.0.1:{ports.worker_metrics}/metrics",
        f"Logs       {folder.logs}/",
    ]
    if ports.standins is not None:
        lines.insert(4, f"Stand-ins  {ports.standins_url}/control/records")
        lines += ["", "A call of your own:", f"  curl -d '{_CALL}' '{webhook}'"]
    return [*lines, "", "In another terminal:", f"  (. {folder.environment}; {name} calls list)", ""]


def command_name() -> str:
    """Give how the command line was called, so that it works from here when pasted."""
    called = Path(sys.argv[0])
    if called.name != "switchboard":
        return f"{_short(Path(sys.executable))} -m deploy.cli"
    return _short(called)


def _short(path: Path) -> str:
    if not path.is_absolute():
        return str(path)
    near = os.path.relpath(path)
    return str(path) if near.startswith("..") else near
