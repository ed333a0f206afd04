"""Reads tables of real outcomes: the same prompts answered by a cheap and a capable model.

Third-party tables are read in place through DuckDB and never copied; no prompt text of theirs reaches a log. Each reader
says which part of the mix is usual and which the replay shifts to.
"""

from collections.abc import Callable
from pathlib import Path

import duckdb
import numpy as np
import numpy.typing as npt

from undertow.errors import LogError
from undertow.simulation.arrival import OutcomeTable

MIN_PROMPTS = 60
"""A segment with fewer prompts is too small to shift traffic to."""

SMALL_MODELS: tuple[str, ...] = (
    "phi_3_mini_4k_instruct", "mistral_7b_instruct_v0_2", "qwen1_5_7b_chat", "yi_6b_chat", "llama_2_7b_hf",
)  # fmt: skip

ARRIVAL_NOTE = (
    "The order in time, the users, the arms and the shift of the mix are scripted; prompts are drawn with replacement."
)


def _columns(folder: Path, table: str, select: str, where: str = "TRUE") -> dict[str, npt.NDArray]:
    """Columns of one Parquet file as arrays.

    Raises:
        LogError: The file is missing or is not what it should be.
    """
    path = folder / f"{table}.parquet"
    if not path.is_file():
        msg = (
            f"no table {table!r} in {str(folder)!r} (looked for {path.name}); give the folder that holds it with --data"
        )
        raise LogError(msg)
    with duckdb.connect(config={"threads": "2"}) as connection:
        try:
            query = f"SELECT {select} FROM read_parquet($path) WHERE {where}"
            return dict(connection.execute(query, {"path": str(path)}).fetchnumpy())
        except duckdb.Error as error:
            msg = f"cannot read {path.name!r} as the table {table!r}: {str(error).splitlines()[0]}"
            raise LogError(msg) from error


def _codes(values: npt.NDArray) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    names, codes = np.unique(np.asarray(values, dtype=str), return_inverse=True)
    return tuple(names.tolist()), codes.astype(np.int64)


def _mix(
    codes: npt.NDArray[np.int64],
    value: npt.NDArray[np.float64],
    eligible: npt.NDArray[np.bool_],
    usual_share: float,
    shifted_segments: int,
    excluded: npt.NDArray[np.bool_] | None = None,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Prompts of the usual mix (segments with the least real loss) and of the shift (those with the most)."""
    skip = np.zeros(len(codes), dtype=np.bool_) if excluded is None else excluded
    loss, size = {}, {}
    for code in range(int(codes.max()) + 1):
        members = (codes == code) & eligible & ~skip
        size[code] = int(members.sum())
        if size[code] >= MIN_PROMPTS:
            loss[code] = float(np.mean(value[members, 1] - value[members, 0]))
    ordered = sorted(loss, key=lambda code: loss[code])
    shifted = ordered[-shifted_segments:]
    usual: list[int] = []
    wanted = usual_share * sum(size[code] for code in ordered)
    for code in ordered[:-shifted_segments]:
        if sum(size[c] for c in usual) < wanted:
            usual.append(code)
    return np.isin(codes, usual), np.isin(codes, shifted)


def mmlu_pro_models(folder: Path) -> OutcomeTable:
    """Llama-3.1 8B against 70B on MMLU-Pro; the router is the real agreement of five other small models with the cheap answer."""
    cheap, capable = "meta_llama_3_1_8b_instruct", "meta_llama_3_1_70b_instruct"
    agree = " + ".join(f"CAST(coalesce(pred__{m} = pred__{cheap}, FALSE) AS INTEGER)" for m in SMALL_MODELS)
    rows = _columns(
        folder,
        "mmlu_pro_models",
        f"category, CAST(ok__{cheap} AS DOUBLE) AS cheap, CAST(ok__{capable} AS DOUBLE) AS capable, ({agree}) / 5.0 AS agreement, "
        f"coalesce(chars__{cheap}, 0) // 4 AS cheap_out, coalesce(chars__{capable}, 0) // 4 AS capable_out, "
        "length(question) // 4 + 60 AS tokens_in",
        f"ok__{cheap} IS NOT NULL AND ok__{capable} IS NOT NULL",
    )
    segments, codes = _codes(rows["category"])
    value = np.column_stack([rows["cheap"], rows["capable"]]).astype(np.float64)
    eligible = rows["agreement"] >= 0.6
    usual, shifted = _mix(codes, value, eligible, usual_share=0.5, shifted_segments=3)
    tokens_in = rows["tokens_in"].astype(np.int64)
    return OutcomeTable(
        name="mmlu_pro_models",
        title="MMLU-Pro: Llama-3.1 8B instruct against 70B instruct",
        models=("llama-3.1-8b-instruct", "llama-3.1-70b-instruct"),
        segment_key="category",
        segments=segments,
        segment=codes,
        value=value,
        eligible=eligible,
        usual=usual,
        shifted=shifted,
        confidence=rows["agreement"].astype(np.float64),
        confidence_note="share of five other small models whose real answer agrees with the cheap tier's",
        threshold=0.6,
        input_tokens=np.column_stack([tokens_in, tokens_in]),
        output_tokens=np.column_stack([rows["cheap_out"], rows["capable_out"]]).astype(np.int64),
        price_usd_per_mtok=((0.20, 0.20), (0.90, 0.90)),
        label_kind="review",
        label_name="correct",
        label_source="exact:mmlu-pro",
        pairs=False,
        margin=0.04,
        notes=(
            (
                "Real: both models' answers and whether they are right (TIGER-AI-Lab/MMLU-Pro, Apache-2.0); answer lengths; the "
                "agreement of five other small models that stands for the router's confidence."
            ),
            ARRIVAL_NOTE,
            "Assumed: 4 characters a token, 0.20 and 0.90 USD per million tokens.",
        ),
    )


def mmlu_routellm(folder: Path) -> OutcomeTable:
    """Mixtral-8x7B against GPT-4 on MMLU; `moral_scenarios` is the hidden segment, `high_school_mathematics` a grader's fault."""
    rows = _columns(
        folder,
        "mmlu_routellm",
        "subject, CAST(ok_mixtral_8x7b AS DOUBLE) AS cheap, CAST(ok_gpt4_1106 AS DOUBLE) AS capable, "
        "gpt4_parse_suspect AS suspect, length(prompt) // 4 + 20 AS tokens_in",
        "ok_mixtral_8x7b IS NOT NULL AND ok_gpt4_1106 IS NOT NULL",
    )
    segments, codes = _codes(rows["subject"])
    value = np.column_stack([rows["cheap"], rows["capable"]]).astype(np.float64)
    suspect = np.asarray(rows["suspect"]).astype(np.bool_)
    eligible = np.ones(len(codes), dtype=np.bool_)
    usual, shifted = _mix(codes, value, eligible, usual_share=0.20, shifted_segments=1, excluded=suspect)
    tokens_in = rows["tokens_in"].astype(np.int64)
    n = len(codes)
    return OutcomeTable(
        name="mmlu_routellm",
        title="MMLU: Mixtral-8x7B against GPT-4-1106",
        models=("mixtral-8x7b-instruct", "gpt-4-1106-preview"),
        segment_key="subject",
        segments=segments,
        segment=codes,
        value=value,
        eligible=eligible,
        usual=usual | suspect,  # the faulty segment stays in: an audit has to show it as suspect, not as a win
        shifted=shifted,
        confidence=np.full(n, np.nan),
        confidence_note="none: everything is eligible",
        threshold=None,
        input_tokens=np.column_stack([tokens_in, tokens_in]),
        output_tokens=np.full((n, 2), 5),
        price_usd_per_mtok=((0.60, 0.60), (10.0, 30.0)),
        label_kind="review",
        label_name="correct",
        label_source="exact:mmlu",
        pairs=False,
        margin=0.06,
        notes=(
            (
                "Real: whether each model's answer is right (lm-sys/RouteLLM, Apache-2.0), with an upstream fault: GPT-4's answers "
                "to high_school_mathematics were parsed wrongly and count as wrong."
            ),
            ARRIVAL_NOTE,
            "Assumed: 4 characters a token, answers of 5 tokens, 0.60 USD per million tokens for Mixtral, 10 and 30 for GPT-4.",
        ),
    )


def mcq_logit_confidence(folder: Path) -> OutcomeTable:
    """Mistral-7B against Qwen-72B on five tasks, routed by Mistral's real token probability; labels are pairs of agreement."""
    cheap, capable = "mistral_7b_v0_1", "qwen_72b"
    threshold = 0.7
    rows = _columns(
        folder,
        "mcq_logit_confidence",
        f"task, CAST(pred__{cheap} = pred__{capable} AS DOUBLE) AS agrees, CAST(p__{cheap} AS DOUBLE) AS confidence",
        f"NOT is_demo AND pred__{cheap} IS NOT NULL AND pred__{capable} IS NOT NULL AND p__{cheap} IS NOT NULL",
    )
    segments, codes = _codes(rows["task"])
    n = len(codes)
    value = np.column_stack([rows["agrees"], np.ones(n)])
    confidence = np.clip(rows["confidence"], 0.0, 1.0)
    eligible = confidence >= threshold
    usual, shifted = _mix(codes, value, eligible, usual_share=0.4, shifted_segments=1)
    return OutcomeTable(
        name="mcq_logit_confidence",
        title="Multiple choice: Mistral-7B against Qwen-72B, routed by real token probabilities",
        models=("mistral-7b-v0.1", "qwen-72b"),
        segment_key="task",
        segments=segments,
        segment=codes,
        value=value,
        eligible=eligible,
        usual=usual,
        shifted=shifted,
        confidence=confidence,
        confidence_note="Mistral-7B's real probability of its top option, as measured",
        threshold=threshold,
        input_tokens=np.full((n, 2), 400),
        output_tokens=np.ones((n, 2), dtype=np.int64),
        price_usd_per_mtok=((0.20, 0.20), (0.90, 0.90)),
        label_kind="shadow",
        label_name="agreement",
        label_source="exact:same-option",
        pairs=True,
        margin=0.10,
        notes=(
            (
                "Real: the options that both models chose and Mistral's probability of its own (smartyfh/LLM-Uncertainty-Bench, MIT). "
                "There are no gold answers: the label is agreement with the capable model, which is what shadow scoring sees."
            ),
            ARRIVAL_NOTE,
            "Assumed: 400 prompt tokens, 0.20 and 0.90 USD per million tokens.",
        ),
    )


def llmdrift(folder: Path) -> OutcomeTable:
    """GPT-3.5 against GPT-4 on prime numbers; on the stated day GPT-4 becomes its June 2023 snapshot: a provider change."""
    rows = _columns(
        folder,
        "llmdrift_mar_jun_2023",
        "dataset, query, "
        "avg(CAST(ok AS DOUBLE)) FILTER (model = 'gpt-3.5-turbo-0613') AS cheap, "
        "avg(CAST(ok AS DOUBLE)) FILTER (model = 'gpt-4-0314') AS capable, "
        "avg(CAST(ok AS DOUBLE)) FILTER (model = 'gpt-4-0613') AS later, "
        "avg(answer_chars) FILTER (model = 'gpt-3.5-turbo-0613') / 4 AS cheap_out, "
        "avg(answer_chars) FILTER (model = 'gpt-4-0314') / 4 AS capable_out, any_value(length(query)) // 4 AS tokens_in",
        "dataset IN ('prime', 'composite') GROUP BY dataset, query "
        "HAVING cheap IS NOT NULL AND capable IS NOT NULL AND later IS NOT NULL",
    )
    order = np.argsort(np.asarray(rows["query"], dtype=str), kind="stable")  # a GROUP BY comes in any order
    rows = {name: column[order] for name, column in rows.items()}
    segments, codes = _codes(rows["dataset"])
    n = len(codes)
    everything = np.ones(n, dtype=np.bool_)
    tokens_in = rows["tokens_in"].astype(np.int64)
    return OutcomeTable(
        name="llmdrift",
        title="Is this number prime? GPT-3.5 against GPT-4, whose snapshot changes",
        models=("gpt-3.5-turbo-0613", "gpt-4"),
        segment_key="dataset",
        segments=segments,
        segment=codes,
        value=np.column_stack([rows["cheap"], rows["capable"]]).astype(np.float64),
        eligible=everything,
        usual=everything,
        shifted=everything,
        confidence=np.full(n, np.nan),
        confidence_note="none: everything is eligible",
        threshold=None,
        input_tokens=np.column_stack([tokens_in, tokens_in]),
        output_tokens=np.column_stack([rows["cheap_out"], rows["capable_out"]]).astype(np.int64),
        price_usd_per_mtok=((1.5, 2.0), (30.0, 60.0)),
        label_kind="review",
        label_name="correct",
        label_source="exact:prime",
        pairs=False,
        margin=0.05,
        notes=(
            (
                "Real: whether the March and June 2023 snapshots were right (lchen001/LLMDrift, Apache-2.0), answer lengths. No "
                "mix shifts here: on the shift's day the capable tier itself becomes the June snapshot of GPT-4."
            ),
            ARRIVAL_NOTE,
            "Assumed: 4 characters a token, list prices of that time.",
        ),
        provider_value=rows["later"].astype(np.float64),
    )


TABLES: dict[str, Callable[[Path], OutcomeTable]] = {
    "mmlu_pro_models": mmlu_pro_models,
    "mmlu_routellm": mmlu_routellm,
    "mcq_logit_confidence": mcq_logit_confidence,
    "llmdrift": llmdrift,
}
"""Tables that can be replayed, by name."""
