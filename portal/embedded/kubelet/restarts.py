"""When a container that ended is started again. Pure."""

from portal.embedded.kubelet.podstatus import ContainerRecord, Terminated

_FIRST_S = 10.0
_LONGEST_S = 300.0


def has_to_restart(record: ContainerRecord, policy: str) -> bool:
    """Say whether a container that does not run has to be started, under a restart policy."""
    if not isinstance(record.state, Terminated):
        return True
    return policy == "Always" or (policy == "OnFailure" and record.state.exit_code != 0)


def back_off_s(ends: int) -> float:
    """Return the pause after so many ends: none after the first, then ten seconds and always twice as many."""
    return 0.0 if ends <= 1 else min(_LONGEST_S, _FIRST_S * 2.0 ** min(ends - 2, 10))
