"""Reading quotas from CSV: what is taken, and that each fault is told by line and column."""

import pytest

from tenants.quotacsv import MOST_BYTES, MOST_PROBLEMS, CsvRejected, read

HEAD = "tenant,type,nominal,borrow_limit,lend_limit\n"


def problems(text: str) -> list[tuple[int, str]]:
    with pytest.raises(CsvRejected) as refused:
        read(text)
    return [(found.line, found.column) for found in refused.value.problems]


def test_columns_are_known_by_name_and_an_empty_cell_leaves_a_bound_as_it_is() -> None:
    found = read("\ufeffType,used,nominal, tenant ,lend_limit\ngpus,99,4,vision,\n\nmemory_mib,,,speech,0\n")
    assert found.wanted == {("vision", "gpus"): {"nominal": 4}, ("speech", "memory_mib"): {"lend_limit": 0}}
    assert found.numbers == {("vision", "gpus"): 2, ("speech", "memory_mib"): 4}


def test_a_cell_that_was_kept_from_being_a_formula_is_read_as_it_was() -> None:
    assert list(read(HEAD + "vision,'-odd,1,,\n").wanted) == [("vision", "-odd")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [(1, "nominal"), (1, "tenant"), (1, "type")]),
        ("tenant,type\n", [(1, "nominal")]),
        ("tenant,type,nominal,colour\n", [(1, "colour")]),
        ("tenant,type,nominal,nominal\n", [(1, "nominal")]),
        (HEAD + "vision,gpus,-1,,\n", [(2, "nominal")]),
        (HEAD + "vision,gpus,1.5,2x,\n", [(2, "borrow_limit"), (2, "nominal")]),
        (HEAD + "vision,gpus," + "9" * 40 + ",,\n", [(2, "nominal")]),
        (HEAD + "vision,gpus,٣,,\n", [(2, "nominal")]),
        (HEAD + "vision,gpus,1,,\nvision,gpus,2,,\n", [(3, "")]),
        (HEAD + "vision,gpus\nvision,pods,1,1,1,1\n", [(2, ""), (3, "")]),
        (HEAD + 'vision,"gpus"x,1,,\n', [(2, "")]),
        (HEAD + "vision\0,gpus,1,,\n", [(1, "")]),
        (HEAD + "vision\ud800,gpus,1,,\n", [(1, "")]),
        (HEAD + "x" * MOST_BYTES, [(1, "")]),
    ],
)
def test_each_fault_is_told_by_line_and_column(text: str, expected: list[tuple[int, str]]) -> None:
    assert sorted(problems(text)) == expected


def test_a_line_break_within_quotes_does_not_shift_the_numbers_of_lines() -> None:
    assert problems(HEAD + '"a\nb",gpus,1,,\nvision,gpus,x,,\n') == [(4, "nominal")]


def test_so_many_problems_are_told_and_no_more() -> None:
    assert len(problems(HEAD + "".join(f"team-{n},gpus,x,,\n" for n in range(500)))) == MOST_PROBLEMS


def test_more_lines_than_may_change_at_once_are_refused() -> None:
    assert problems("tenant,type,nominal\n" + "".join(f"t{n},gpus,1\n" for n in range(20_001))) == [(20_002, "")]
