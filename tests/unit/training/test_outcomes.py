"""A wrong name counts apart from none."""

from __future__ import annotations

from training.metrics.outcomes import outcomes

NAMES = {"Lamp", "Lens"}


def test_a_wrong_name_and_no_name_are_counted_apart() -> None:
    days = [("Lamp", "Lamp"), ("Lamp", "Lens"), ("Lamp", "unknown"), ("Lens", "learning")]
    found = outcomes(days, NAMES, ())
    assert (found.right, found.no_name, found.wrong) == (1, 2, 1)
    assert found.mistaken == {("Lamp", "Lens"): 1}


def test_no_name_is_right_for_a_device_that_the_model_does_not_know() -> None:
    days = [("Fridge", "unknown"), ("Fridge", "learning"), ("Fridge", "Lamp")]
    found = outcomes(days, NAMES, {"Fridge"})
    assert (found.right, found.no_name, found.wrong) == (2, 0, 1)


def test_a_state_other_than_unknown_is_no_name_either() -> None:
    found = outcomes([("Lamp", "misbehaving")], NAMES, ())
    assert (found.right, found.no_name, found.wrong) == (0, 1, 0)
