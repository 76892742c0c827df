"""Plans as EXPLAIN gives them."""

from exchanges_db.validation.plans import indexes_below


def test_the_indexes_of_a_plan_are_found_at_every_depth() -> None:
    """Indexes of nested nodes count; a plan that reads the whole table has none."""
    nested = {"Plans": [{"Plans": [{"Index Name": "a"}, {"Index Name": "b"}]}, {"Node Type": "Sort"}]}
    assert list(indexes_below(nested)) == ["a", "b"]
    assert list(indexes_below({"Node Type": "Seq Scan"})) == []
