"""YAML on pages: coloured, escaped, and the same text when copied."""

import html
import re

from portal.core.templatetags.berth_yaml import yaml_markup

TEXT = """kind: Job
metadata:
  name: w-abc-1
spec:
  backoffLimit: 0
  suspend: false
  template:
    containers:
    - name: main
      command:
      - sh
      - -c
data:
  script: |
    if a < b: print("<script>")
    kind: not a key

    7
  other: 'x'
---
kind: ConfigMap"""


def test_the_text_stays_the_same_whatever_is_marked() -> None:
    assert html.unescape(re.sub(r"</?span[^>]*>", "", yaml_markup(TEXT))) == TEXT


def test_keys_numbers_and_texts_are_told_apart() -> None:
    marked = yaml_markup(TEXT).split("\n")
    assert marked[0] == '<span class="y-k">kind</span>: <span class="y-s">Job</span>'
    assert '<span class="y-n">0</span>' in marked[4]
    assert '<span class="y-n">false</span>' in marked[5]
    assert marked[10] == '      - <span class="y-s">sh</span>'
    assert '<span class="y-d">---</span>' in marked


def test_a_block_of_text_is_text_and_what_follows_it_is_not() -> None:
    marked = yaml_markup(TEXT).split("\n")
    assert marked[15] == '<span class="y-s">    kind: not a key</span>'
    assert '<span class="y-k">other</span>' in marked[18]


def test_what_users_wrote_is_escaped() -> None:
    for evil in ("<script>x</script>", "a: <script>x</script>", "- <script>", "<b>: c", "k: |\n  <script>"):
        assert "<script>" not in yaml_markup(evil)
        assert "<b>" not in yaml_markup(evil)
