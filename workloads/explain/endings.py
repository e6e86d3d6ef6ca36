"""Cards of workloads that failed or cannot start: the cause, the cluster's own words, the next step."""

from django.utils.translation import gettext as _

from portal.core import units
from workloads.explain import lines
from workloads.explain.card import Card, Explained, Explanation, Option
from workloads.explain.facts import Facts
from workloads.specs import Reason


def _image_pull_failed(facts: Facts, _workload: Explained) -> Explanation:
    image = facts.text("image", limit=300)
    return Explanation(
        title=_("The image cannot be pulled"),
        sentence=_("The node asked for the image and did not get it. Its name, its tag or the right to it is wrong."),
        facts=((_("Image"), image),) if image else (),
        options=(
            Option(_("Check the name and the tag, then submit it again"), _("the node keeps trying until then")),
            Option(_("Make sure that the registry lets the cluster in")),
        ),
        evidence=facts.message,
    )


def _image_invalid(facts: Facts, _workload: Explained) -> Explanation:
    image = facts.text("image", limit=300)
    return Explanation(
        title=_("The image's name is not valid"),
        sentence=_("The node cannot read the image's name, so it never asked a registry."),
        facts=((_("Image"), image),) if image else (),
        options=(Option(_("Correct the name and submit it again")),),
        evidence=facts.message,
    )


def _refused(facts: Facts, _workload: Explained) -> Explanation:
    numbers: tuple[tuple[str, str], ...] = ()
    if facts.number("limit") is not None:
        numbers = (
            (_("Resource"), facts.resource),
            (_("Asked"), facts.amount("asked")),
            (_("Held"), facts.amount("held")),
            (_("Limit"), facts.amount("limit")),
        )
    return Explanation(
        title=_("The cluster refused it"),
        sentence=_("A rule of the cluster does not let this be created. Nothing of it ran."),
        facts=numbers,
        options=(Option(_("Change what the message names and submit it again")), _ask_admin()),
        evidence=facts.message,
    )


def _refused_retrying(facts: Facts, workload: Explained) -> Explanation:
    card = _refused(facts, workload)
    return Explanation(
        title=_("The cluster refused it for now"),
        sentence=_("A limit or a check of the cluster does not let this be created yet. It is tried again by itself."),
        facts=card.facts,
        evidence=card.evidence,
    )


def _exit_code(facts: Facts, _workload: Explained) -> Explanation:
    exit_code = facts.number("exit_code")
    sentence, option = _exit_meaning(exit_code)
    return Explanation(
        title=lines.exit_text(exit_code),
        sentence=sentence,
        facts=((_("Exit code"), "?" if exit_code is None else str(exit_code)),),
        options=(option,),
        evidence=facts.message,
    )


def _exit_meaning(exit_code: int | None) -> tuple[str, Option]:
    read_log = Option(_("Read the end of the log"), _("programs say there what went wrong"))
    if exit_code == lines.CANNOT_RUN:
        return _("The command exists but cannot be executed: it is no program, or its file lacks the right."), Option(
            _("Check the command"), _("name an interpreter, such as sh or python3, before a script")
        )
    if exit_code == lines.NOT_FOUND:
        return _("The image has no program of that name, or the script's first line names one."), Option(
            _("Check the command and the image"), _("a program must be inside the image to run")
        )
    name = lines.signal_name(exit_code) if exit_code is not None else ""
    if name == "SIGKILL":
        return _("Something ended it at once. It was not the memory limit of the container as a whole."), Option(
            _("Read the end of the log"), _("a child that used too much memory also looks like this")
        )
    if name == "SIGTERM":
        return _("It was asked to end and did. Nobody cancelled it in Berth."), read_log
    if name == "SIGSEGV":
        return _("It touched memory that is not its own: a fault in a native library, or libraries that do not fit."), (
            read_log
        )
    if name:
        return _("A signal ended it before it was done."), read_log
    return _("The program ended by itself and reported a failure."), read_log


def _oom_killed(facts: Facts, workload: Explained) -> Explanation:
    memory_mib = facts.memory_limit_mib
    limit = units.memory_text(workload.memory_mib if memory_mib is None else memory_mib)
    return Explanation(
        title=_("It used more memory than it had asked for"),
        sentence=_("Its limit was %(limit)s. The kernel ended it when it went beyond.") % {"limit": limit},
        facts=((_("Memory limit"), limit), (_("Exit code"), str(facts.number("exit_code") or 137))),
        options=(
            Option(_("Submit it again with more memory")),
            Option(_("Load less at a time"), _("smaller batches, fewer loader processes, files read in pieces")),
        ),
    )


def _deadline(facts: Facts, _workload: Explained) -> Explanation:
    limit_s = facts.time_limit_s
    limit = "?" if limit_s is None else units.duration_text(limit_s)
    return Explanation(
        title=_("It reached its time limit"),
        sentence=_("It was ended after %(limit)s, as was asked for at submission.") % {"limit": limit},
        facts=((_("Time limit"), limit),),
        options=(
            Option(_("Submit it again with a longer time limit")),
            Option(_("Save progress on the way"), _("so that a new run can go on from there")),
        ),
    )


def _evicted(facts: Facts, _workload: Explained) -> Explanation:
    return Explanation(
        title=_("Its node threw it out"),
        sentence=_("The node ran short of disk or memory, or it used more disk than its limit."),
        facts=_node_fact(facts),
        options=(
            Option(_("Write less into the working directory and /tmp"), _("both have a limit")),
            Option(_("Submit it again"), _("it may be placed on another node")),
        ),
        evidence=facts.message,
    )


def _node_lost(facts: Facts, _workload: Explained) -> Explanation:
    return Explanation(
        title=_("Its node stopped answering"),
        sentence=_("The machine that ran it was lost. This was not your code."),
        facts=_node_fact(facts),
        options=(Option(_("Submit it again"), _("with retries set, this happens by itself")),),
    )


def _start_failed(facts: Facts, workload: Explained) -> Explanation:
    if facts.number("exit_code") in (lines.CANNOT_RUN, lines.NOT_FOUND):
        return _exit_code(facts, workload)
    return Explanation(
        title=_("The container could not start"),
        sentence=_("The image was there, but the command could not be started in it."),
        options=(Option(_("Check that the command names a program inside the image")),),
        evidence=facts.message,
    )


def _object_deleted(facts: Facts, _workload: Explained) -> Explanation:
    name = facts.text("object")
    return Explanation(
        title=_("Deleted in the cluster, not by Berth"),
        sentence=_(
            "While it was to run it vanished from the cluster: somebody or something removed it, or the cluster is "
            "another one since a backup was restored. It is not started again."
        ),
        facts=((_("Object"), name),) if name else (),
        options=(Option(_("Submit it again")), _ask_admin()),
    )


def _foreign_object(facts: Facts, _workload: Explained) -> Explanation:
    name = facts.text("name") or facts.text("object")
    return Explanation(
        title=_("Its name is taken in the cluster"),
        sentence=_("An object of this name is there already and was not made for this workload, so Berth left it."),
        facts=((_("Name"), name),) if name else (),
        options=(Option(_("Submit it again"), _("it gets another name")), _ask_admin()),
    )


def _unknown(facts: Facts, _workload: Explained) -> Explanation:
    return Explanation(
        title=_("The reason is unknown"),
        sentence=_("The cluster did not say why this happened."),
        options=(Option(_("Read the log and the events")), _ask_admin()),
        evidence=facts.message,
    )


def _node_fact(facts: Facts) -> tuple[tuple[str, str], ...]:
    node = facts.text("node")
    return ((_("Node"), node),) if node else ()


def _ask_admin() -> Option:
    return Option(_("Ask a platform admin"), _("they see the cluster's side"))


ENDINGS: dict[Reason, Card] = {
    Reason.IMAGE_PULL_FAILED: _image_pull_failed,
    Reason.IMAGE_INVALID: _image_invalid,
    Reason.REFUSED: _refused,
    Reason.REFUSED_RETRYING: _refused_retrying,
    Reason.EXIT_CODE: _exit_code,
    Reason.OOM_KILLED: _oom_killed,
    Reason.DEADLINE: _deadline,
    Reason.EVICTED: _evicted,
    Reason.NODE_LOST: _node_lost,
    Reason.START_FAILED: _start_failed,
    Reason.OBJECT_DELETED: _object_deleted,
    Reason.FOREIGN_OBJECT: _foreign_object,
    Reason.UNKNOWN: _unknown,
}
