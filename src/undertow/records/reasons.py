"""Why a tier answered: the closed list behind the decision log's column `reason`, each with its sentence for the docs."""

REASONS: dict[str, str] = {
    "confident": "the cheap answer's confidence reached the threshold",
    "unsure": "the cheap answer's confidence was below the threshold",
    "no_confidence": "the cheap answer came without what a confidence is computed from (log-probabilities)",
    "empty_answer": "the cheap answer was empty",
    "invalid_answer": "the cheap answer broke the schema or tool signature that the request demanded",
    "cascade": "the cascade asked this tier first, and the request ended before its answer was judged",
    "constraint": "a constraint keeps such requests off the cheap tier",
    "holdout": "the unit was randomised to the capable tier",
    "fixed": "the policy names one tier",
    "split": "the policy drew the tier at random",
    "easy": "the classifier's probability reached the threshold",
    "hard": "the classifier's probability was below the threshold",
    "rule": "a rule on segments sent it to the cheap tier",
    "no_rule": "no rule sent it to the cheap tier",
    "classifier_absent": "the policy's classifier was not loaded",
    "classifier_late": "the classifier did not answer within its deadline",
    "classifier_error": "the classifier failed",
    "upstream_error": "the tier below failed",
    "requested": "the caller named the tier or its model",
    "observed": "mode observe: the caller's own choice was served",
    "refused": "the request was refused before routing",
    "passthrough": "the request was passed on unrouted",
    "process_died": "the process died before the decision was recorded",
}
"""Reason -> what it means."""
