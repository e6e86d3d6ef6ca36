import time

from portal.kube.errors import ClusterUnavailable, Gone, PoisonObject, ServerError, TooManyRequests
from portal.kube.types import PODS, Pod
from portal.kube.watch import Change, Reflector, Selection, Timing
from tests.unit.kube.conftest import Watched, pod

EXPIRED = {"kind": "Status", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old"}
BROKEN = {"kind": "Status", "status": "Failure", "code": 500, "reason": "InternalError", "message": "etcd"}


def create(watched: Watched, name: str) -> None:
    watched.kube.create(PODS, pod(name), namespace="default")


def delete(watched: Watched, name: str) -> None:
    watched.kube.delete(PODS, name, namespace="default")


def test_what_is_there_is_told_first_then_what_happens(watched: Watched) -> None:
    create(watched, "a")
    watched.start()
    watched.wait_told("ADDED a", "SYNCED")
    create(watched, "b")
    watched.kube.set_status(PODS, "b", {"phase": "Running"}, namespace="default")
    delete(watched, "a")
    watched.wait_told("ADDED a", "SYNCED", "ADDED b", "MODIFIED b", "DELETED a")
    running = watched.changes[3].object
    assert running is not None
    assert running.status.phase == "Running"


def test_objects_without_the_label_are_not_told(watched: Watched) -> None:
    watched.kube.create(PODS, pod("other", berth="no"), namespace="default")
    create(watched, "a")
    watched.start()
    watched.wait_told("ADDED a", "SYNCED")


def test_a_watch_that_the_server_ends_goes_on_without_a_new_list(watched: Watched) -> None:
    watched.start()
    watched.wait_watching()
    watched.kube.break_watches()
    create(watched, "a")
    watched.wait_told("SYNCED", "ADDED a")
    assert [call.op for call in watched.kube.calls].count("list") == 1


def test_after_a_410_the_list_finds_what_was_missed_and_repeats_nothing(watched: Watched) -> None:
    for name in ("changed", "gone", "kept"):
        create(watched, name)
    watched.start()
    watched.wait_watching()
    watched.kube.silence_watches()
    delete(watched, "gone")
    watched.kube.set_status(PODS, "changed", {"phase": "Failed"}, namespace="default")
    watched.kube.break_watches(Gone("too old"))
    first = ("ADDED changed", "ADDED gone", "ADDED kept", "SYNCED")
    watched.wait_told(*first, "DELETED gone", "MODIFIED changed", "SYNCED")


def test_an_error_event_of_410_leads_to_a_new_list(watched: Watched) -> None:
    watched.start()
    watched.wait_watching()
    watched.kube.inject(PODS, "ERROR", EXPIRED)
    watched.wait_told("SYNCED", "SYNCED")


def test_any_other_error_event_leads_to_a_new_list_after_a_pause(watched: Watched) -> None:
    watched.start()
    watched.wait_watching()
    watched.kube.inject(PODS, "ERROR", BROKEN)
    watched.wait_told("SYNCED", "SYNCED")


def test_a_version_that_was_compacted_away_leads_to_a_new_list(watched: Watched) -> None:
    watched.start()
    watched.wait_watching()

    def forget(call: object) -> None:
        create(watched, "a")
        watched.kube.compact()

    watched.kube.before("watch", forget)
    watched.kube.break_watches()
    watched.wait_told("SYNCED", "ADDED a", "SYNCED")


def test_a_deletion_missed_during_an_outage_is_told_with_the_last_known_identity(watched: Watched) -> None:
    create(watched, "a")
    create(watched, "b")
    watched.start()
    watched.wait_watching()
    watched.kube.set_available(False)
    watched.kube.store.remove(PODS, ("default", "a"))
    watched.kube.compact()
    watched.wait_for(lambda: not watched.reflector_health().synced)
    watched.kube.set_available(True)
    watched.wait_told("ADDED a", "ADDED b", "SYNCED", "DELETED a", "SYNCED")
    gone = watched.changes[3]
    assert gone.object is None
    assert gone.metadata.labels["berth"] == "yes"


def test_an_object_made_anew_under_its_name_is_told_as_a_deletion_and_an_addition(watched: Watched) -> None:
    create(watched, "a")
    watched.start()
    watched.wait_watching()
    watched.kube.set_available(False)
    watched.kube.store.remove(PODS, ("default", "a"))
    watched.kube.seed(PODS, pod("a"))
    watched.kube.set_available(True)
    watched.wait_told("ADDED a", "SYNCED", "DELETED a", "ADDED a", "SYNCED")


def test_an_api_server_that_is_away_from_the_start_is_waited_for(watched: Watched) -> None:
    watched.kube.set_available(False)
    watched.start()
    watched.wait_for(lambda: len(watched.kube.calls) > 5)
    health = watched.reflector_health()
    assert (health.synced, health.last_contact_age_s) == (False, None)
    assert "connection refused" in health.last_error
    create_after = pod("a")
    watched.kube.set_available(True)
    watched.kube.create(PODS, create_after, namespace="default")
    watched.wait_for(lambda: sorted(watched.told) == ["ADDED a", "SYNCED"])
    assert watched.reflector_health().synced


def test_a_silent_watch_is_cut_and_what_it_kept_back_is_found(watched: Watched) -> None:
    watched.start(inactivity_s=0.2)
    watched.wait_watching()
    watched.kube.silence_watches()
    create(watched, "a")
    watched.wait_told("SYNCED", "ADDED a")


def test_bookmarks_are_signs_of_life_and_move_the_version_on(watched: Watched) -> None:
    watched.start(inactivity_s=30)
    watched.wait_watching()
    watched.kube.seed(PODS, pod("elsewhere", berth="no"))
    version = str(watched.kube.store.version)
    watched.kube.inject(PODS, "BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": version}})
    watched.wait_for(lambda: not watched.kube.store.streams[0].injected)
    watched.kube.compact()
    watched.kube.break_watches()
    create(watched, "a")
    watched.wait_told("SYNCED", "ADDED a")
    assert [call.op for call in watched.kube.calls].count("list") == 1


def test_a_poison_object_in_a_list_is_set_aside_and_the_others_are_told(watched: Watched) -> None:
    watched.kube.seed(PODS, {**pod("bad"), "status": {"phase": {"not": "text"}}})
    create(watched, "good")
    watched.start()
    watched.wait_told("ADDED good", "SYNCED")
    [poison] = watched.reflector_health().quarantined
    assert (poison.name, poison.namespace) == ("bad", "default")
    assert "phase" in poison.error


def test_a_poison_event_is_set_aside_until_the_object_is_well_again(watched: Watched) -> None:
    create(watched, "a")
    watched.start()
    watched.wait_watching()
    watched.kube.set_status(PODS, "a", {"phase": 7}, namespace="default")
    watched.wait_for(lambda: len(watched.reflector_health().quarantined) == 1)
    create(watched, "b")
    watched.kube.set_status(PODS, "a", {"phase": "Running"}, namespace="default")
    watched.wait_told("ADDED a", "SYNCED", "ADDED b", "MODIFIED a")
    assert watched.reflector_health().quarantined == ()


def test_a_poison_object_that_was_known_is_told_when_it_goes(watched: Watched) -> None:
    create(watched, "a")
    watched.start()
    watched.wait_watching()
    watched.kube.set_status(PODS, "a", {"phase": 7}, namespace="default")
    delete(watched, "a")
    watched.wait_told("ADDED a", "SYNCED", "DELETED a")
    assert watched.changes[-1].object is None
    assert watched.reflector_health().quarantined == ()


def test_an_object_that_the_sink_calls_poison_does_not_hold_up_the_others(watched: Watched) -> None:
    def refuse(change: Change[Pod]) -> None:
        if change.metadata.name == "bad":
            raise PoisonObject("no such attempt")

    watched.refuse = refuse
    create(watched, "bad")
    create(watched, "good")
    watched.start()
    watched.wait_told("ADDED good", "SYNCED")
    assert watched.reflector_health().quarantined[0].error == "no such attempt"


def test_a_sink_that_fails_is_told_again(watched: Watched) -> None:
    failures = iter([ConnectionError("database away")] * 3)

    def refuse(change: Change[Pod]) -> None:
        for failure in failures:
            raise failure

    watched.refuse = refuse
    create(watched, "a")
    watched.start()
    watched.wait_told("ADDED a", "SYNCED")


def test_everything_is_listed_again_from_time_to_time_and_only_news_is_told(watched: Watched) -> None:
    create(watched, "a")
    watched.start(relist_every_s=0.1)
    watched.wait_for(lambda: watched.told.count("SYNCED") >= 2, timeout_s=15)
    assert watched.told.count("ADDED a") == 1


def test_a_stop_ends_a_silent_watch_at_once(watched: Watched) -> None:
    watched.start(inactivity_s=300)
    watched.wait_watching()
    began = time.monotonic()
    watched.end()
    assert time.monotonic() - began < 5


def test_the_pause_grows_to_its_limit_and_never_beyond(watched: Watched) -> None:
    reflector = Reflector(kube=watched.kube, selection=Selection(PODS, dict), sink=print, timing=Timing())
    pauses_s = []
    for _ in range(40):
        reflector._failed(ClusterUnavailable("refused"))
        pauses_s.append(reflector._backoff_s(ClusterUnavailable("refused")))
    assert 0.125 <= pauses_s[0] <= 0.25
    assert all(2.5 <= pause_s <= 5.0 for pause_s in pauses_s[6:])


def test_a_server_that_asks_to_wait_is_obeyed_within_reason(watched: Watched) -> None:
    reflector = Reflector(kube=watched.kube, selection=Selection(PODS, dict), sink=print, timing=Timing())
    reflector._failed(ServerError("x"))
    assert 3 < reflector._backoff_s(TooManyRequests("busy", retry_after_s=3)) < 4
    assert reflector._backoff_s(TooManyRequests("busy", retry_after_s=9999)) < 31
