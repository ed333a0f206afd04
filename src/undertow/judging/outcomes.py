"""From a verdict to the numbers of a signal: quality of the served answer, and of the other tier's."""

from undertow.judging.orders import Preference

Values = tuple[float, float]


def values_of(better: Preference) -> Values:
    """`value` and `reference_value` of a comparison, 1 is best.

    A tie says that nothing was lost, so both are 1; the loss of a pair, reference minus value, is in {-1, 0, 1}.

    Args:
        better: Which answer the judge prefers.

    Examples:
        >>> values_of("served"), values_of("tie"), values_of("reference")
        ((1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    """
    match better:
        case "served":
            return 1.0, 0.0
        case "reference":
            return 0.0, 1.0
        case "tie":
            return 1.0, 1.0
