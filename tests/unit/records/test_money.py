import numpy as np

from undertow.records.money import MoneyReviews, Place


def test_tables_of_two_partitions_add_up():
    one = MoneyReviews(np.array([1]), np.array([0]), np.array([5]))
    assert one.concat(one).reviews.sum() == 10


def test_the_whole_log_has_no_name():
    assert Place("whole").name == ""
