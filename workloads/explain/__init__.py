"""Says in the reader's language why something waits, failed or is refused. Reads no table; trusts no parameter.

Parameters by reason (all may be missing; amounts in the resource's own unit: millicores, MiB, pieces):
over_quota: resource asked held limit · over_share: whose resource asked held limit · max_running: running limit
no_capacity: resource asked free · too_large: resource asked largest
cluster_stale: since · retrying: attempt retries reason exit_code · unschedulable: message causes[count text]
refused, refused_retrying: message resource asked held limit · image_pull_failed, image_invalid: image message
exit_code: exit_code message · oom_killed: limit or memory_mib · deadline: limit_s · start_failed: exit_code message
evicted, node_lost: node message · foreign_object, object_deleted: object · cancelled_by: user
"""

from workloads.explain.card import Explanation, Option
from workloads.explain.cards import explanation
from workloads.explain.facts import Facts
from workloads.explain.lines import exit_text, reason_text
from workloads.explain.problems import problem_text, problem_texts

__all__ = ["Explanation", "Facts", "Option", "exit_text", "explanation", "problem_text", "problem_texts", "reason_text"]
