"""Why a job waits: the scheduler's word, in words for people."""

from __future__ import annotations

import time

from engine.cluster.settings import Request
from engine.cluster.states import JobState

MEND = "Change cluster.toml and start it again, or ask the administrators."

REASONS = {
    "Priority": "waits for its turn: others come first",
    "Dependency": "waits for another job",
    "DependencyNeverSatisfied": "can never start: a job that it depends on has failed",
    "JobArrayTaskLimit": "waits for other tasks of the same run: only so many run at once (throttle in cluster.toml)",
    "JobHeldUser": "is held by its user; `scontrol release` lets it go on",
    "JobHeldAdmin": "is held by an administrator",
    "JobHoldMaxRequeue": "is held, since it was started again too often; `scontrol release` lets it go on",
    "PartitionDown": "waits until its partition is open again",
    "PartitionInactive": "waits until its partition is open again",
    "PartitionTimeLimit": f"can never start: its time limit is longer than its partition's. {MEND}",
    "PartitionNodeLimit": f"can never start: it asks for more nodes than its partition allows. {MEND}",
    "PartitionConfig": f"can never start: it asks for more than its partition allows, or for more time. {MEND}",
    "BadConstraints": f"can never start: no node has what it asks for. {MEND}",
    "InvalidAccount": f"can never start: its account is not known. {MEND}",
    "InvalidQOS": f"can never start: its quality of service is not known. {MEND}",
    "AccountNotAllowed": f"can never start: its account may not use this partition. {MEND}",
    "QOSNotAllowed": f"can never start: its quality of service may not be used there. {MEND}",
    "Reservation": "waits for its reservation",
    "ReservationDeleted": "waits for a reservation that was deleted; ask the administrators",
    "Licenses": "waits for a licence",
    "Cleaning": "waits until its former start is cleaned up",
    "Prolog": "is being started",
    "NodeDown": "waits for a node that is down",
    "BurstBufferResources": "waits for fast storage",
    "BurstBufferStageIn": "waits until its files are on fast storage",
    "FrontEndDown": "waits until the front end is up again",
    "SchedDefer": "waits until the scheduler looks at it",
    "ReqNodeNotAvail": "waits for nodes that are down, drained or reserved",
    "None": "waits until the scheduler looks at it",
    "": "waits until the scheduler looks at it",
}


def waits_for(state: JobState, request: Request) -> str:
    """What a job waits for, as the end of a sentence that begins with the job; empty while it runs."""
    if not state.is_pending:
        return ""
    reason = state.reason.partition(",")[0].strip(" ()")  # ReqNodeNotAvail, UnavailableNodes:n1
    partition = state.partition or request.partition
    if reason == "Resources":
        return f"waits for {_room(request)}{f' of partition {partition}' if partition else ''}{_expected(state)}"
    if reason == "Priority":
        return REASONS[reason] + _expected(state)
    if reason == "BeginTime":
        until = f"until {_clock(state.start)}" if state.start is not None else "a little"
        return f"waits {until}, since it was started again"
    if state.state in ("REQUEUE_HOLD", "SPECIAL_EXIT"):
        return "is held after it ran; `scontrol release` lets it go on"
    if reason in REASONS:
        return REASONS[reason]
    if reason.startswith(("QOS", "Assoc")):
        whose = "of its account" if reason.startswith("Assoc") or "Account" in reason else "of its quality of service"
        return f"waits since a limit {whose} is reached ({reason}); it starts when other jobs there end"
    return f"waits; the scheduler says: {state.reason}"


def _room(request: Request) -> str:
    return "a GPU" if request.gpus else "free CPU cores and memory"


def _expected(state: JobState) -> str:
    return f", expected at {_clock(state.start)}" if state.start is not None else ""


def _clock(moment: float) -> str:
    """The time of day here; with the date when it is not today."""
    there, today = time.localtime(moment), time.localtime()
    return time.strftime("%H:%M" if there[:3] == today[:3] else "%Y-%m-%d %H:%M", there)
