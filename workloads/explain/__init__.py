"""Says in the reader's language why something waits, failed or is refused. Reads no table; trusts no parameter.

Parameters by reason (all may be missing; amounts in the resource's own unit: millicores, MiB, pieces):
over_quota: resource asked held limit · no_capacity: resource asked free · too_large: resource asked largest
cluster_stale: since · retrying: attempt retries reason exit_code · unschedulable, refused, refused_retrying,
image_pull_failed, image_invalid, start_failed, evicted: message · image_*: image · refused: resource asked held limit
exit_code: exit_code message · oom_killed: memory_mib · deadline: max_runtime_s · evicted, node_lost: node
foreign_object, object_deleted: name · cancelled_by: user
"""

from workloads.explain.card import Explanation, Option
from workloads.explain.cards import explanation
from workloads.explain.lines import reason_text
from workloads.explain.problems import problem_text, problem_texts

__all__ = ["Explanation", "Option", "explanation", "problem_text", "problem_texts", "reason_text"]
