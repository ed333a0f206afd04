import asyncio
import json
import logging
import time

import msgspec
import pytest

from gateway_stub.plans import plan
from sound_calibrations import calibration
from undertow.adapters.calibrations import write_calibration, write_states
from undertow.adapters.classifiers.embedding import EmbeddingClassifier
from undertow.adapters.classifiers.loading import write_artefact
from undertow.bootstrap.gateway import (
    LOOK_AGAIN_S,
    LengthRatioFile,
    acceptance_by,
    build_engine,
    sidecar_artefacts,
    writer_name,
)
from undertow.bootstrap.judging import standings
from undertow.errors import ConfigError
from undertow.policies.artefact import Artefact, Auroc, TrainedOn, pack_weights
from undertow.records.decision import DecisionRecord
from undertow.records.runtime_files import THRESHOLDS, LengthRatios
from undertow.records.serving import PolicyPlan, StorePlan
from undertow.services.admit import Context
from unit.bootstrap.test_judging import cascade, states


def ratios(path, **tiers):
    path.write_bytes(msgspec.json.encode(LengthRatios(at="2026-03-01T00:00:00.000Z", tiers=tiers)))


def classifier(name, method, artefact=None):
    return PolicyPlan(
        name=name, version="v", kind="classifier", method=method, tiers=("cheap", "capable"), artefact=artefact
    )


def predictive(name, method, artefact=None):
    return PolicyPlan(
        name=name, version="v", kind="cascade", method=method, tiers=("cheap", "capable"), predictive=artefact
    )


def engine_of(served, tmp_path, env=None, sidecars=None, **store):
    served = msgspec.structs.replace(served, store=StorePlan(path=str(tmp_path), **store))
    return build_engine(
        served, env or {}, decisions=None, signals=None, on_record=lambda *_: None, sidecars=sidecars or {}
    )


def with_policies(*policies):
    return msgspec.structs.replace(plan(), policies=(*plan().policies, *policies))


def test_length_ratios_come_change_and_stay_when_the_file_is_broken(tmp_path, caplog):
    path = tmp_path / "ratios.json"
    ratio = LengthRatioFile(path)
    ratio.refresh(0.0)
    assert ratio("cheap", {}) is None
    ratios(path, cheap={"": 1.5})
    ratio.refresh(LOOK_AGAIN_S - 1)
    assert ratio("cheap", {}) is None, "it is not looked at all the time"
    ratio.refresh(LOOK_AGAIN_S)
    assert ratio("cheap", {"intent": "billing"}) == 1.5
    assert ratio("capable", {}) is None
    path.write_text("{")
    with caplog.at_level(logging.WARNING, "undertow.gateway"):
        ratio.refresh(2 * LOOK_AGAIN_S)
    assert ratio("cheap", {}) == 1.5
    assert [record.message for record in caplog.records] == ["length_ratios_unreadable"]
    path.unlink()
    ratio.refresh(3 * LOOK_AGAIN_S)
    assert ratio("cheap", {}) is None


def test_a_segments_own_ratio_counts_before_the_tiers_in_whatever_order_its_labels_came(tmp_path):
    path = tmp_path / "ratios.json"
    ratios(path, cheap={"": 1.5, "language=de": 2.0, "product=a": 3.0})
    ratio = LengthRatioFile(path)
    ratio.refresh(0.0)
    assert (
        ratio("cheap", {"product": "a", "language": "de"}) == ratio("cheap", {"language": "de", "product": "a"}) == 2.0
    )
    assert ratio("cheap", {"product": "a", "language": "fr"}) == 3.0
    assert ratio("cheap", {"product": "b"}) == 1.5


@pytest.mark.parametrize("hook", ["no_such_module:redact", "json:no_such_function", "json"])
def test_text_is_not_kept_unredacted_for_want_of_the_hook(tmp_path, hook):
    with pytest.raises(ConfigError, match=r"retention\.redact"):
        engine_of(plan(), tmp_path, keeps_text=True, redact=hook)


@pytest.mark.parametrize("env", [{}, {"ID_KEY": ""}])
def test_ids_are_not_written_as_they_are_for_want_of_the_key(tmp_path, env):
    with pytest.raises(ConfigError, match="ID_KEY, which is not set"):
        engine_of(plan(), tmp_path, env, id_key_env="ID_KEY")
    assert engine_of(plan(), tmp_path, {"ID_KEY": "k"}, id_key_env="ID_KEY").plan.store.id_key_env == "ID_KEY"


def test_a_plan_without_auto_is_refused(tmp_path):
    served = msgspec.structs.replace(plan(), policies=())
    with pytest.raises(ConfigError, match="no policy `auto`"):
        engine_of(served, tmp_path)


def test_a_classifier_that_cannot_be_loaded_is_absent_and_said_so(tmp_path, caplog):
    (tmp_path / "broken.json").write_text(json.dumps({"schema": "undertow.classifier/1"}))
    served = with_policies(
        classifier("broken", "text", str(tmp_path / "broken.json")),
        classifier("gone", "text", str(tmp_path / "gone.json")),
        classifier("rules", "rules"),
    )
    with caplog.at_level(logging.ERROR, "undertow.gateway"):
        assert engine_of(served, tmp_path).classifiers == {}
    assert [(record.message, record.policy) for record in caplog.records] == [
        ("classifier_not_loaded", "broken"),
        ("classifier_not_loaded", "gone"),
    ]


def test_an_encoder_is_asked_through_its_socket_and_let_go_in_the_end(tmp_path, caplog):
    path = tmp_path / "c.json"
    write_artefact(
        Artefact(
            method="embedding", features="f", trained_at="2026-03-01T00:00:00Z",
            trained_on=TrainedOn(source="s", labels=60, easy=30, texts=60, easy_share=0.5),
            auroc=Auroc(value=0.9, interval=(0.8, 1.0), folds=5), size=2, intercept=0.0, weights=pack_weights([1.0, 2.0]),
        ),
        path,
    )  # fmt: skip
    served = with_policies(classifier("one", "embedding", str(path)), classifier("two", "embedding", str(path)))
    engine = engine_of(served, tmp_path, sidecars={"one": str(tmp_path / "s.sock")})
    assert list(engine.classifiers) == ["one"], "without a sidecar it is absent"
    assert isinstance(engine.classifiers["one"], EmbeddingClassifier)
    closed = []

    async def note():
        closed.append(True)

    engine.classifiers["one"].aclose = note
    asyncio.run(engine.aclose())
    assert closed == [True]


def test_only_embeddings_need_a_sidecar():
    served = with_policies(
        classifier("a", "embedding", "/a.json"),
        classifier("b", "embedding"),
        classifier("c", "text", "/c.json"),
        classifier("d", "rules"),
        predictive("e", "embedding", "/e.json"),
        predictive("f", "text", "/f.json"),
        predictive("g", "embedding"),
    )
    assert sidecar_artefacts(served) == {"a": "/a.json", "e": "/e.json"}


def test_the_classifier_that_a_cascade_asks_first_is_loaded_like_any_other(tmp_path, caplog):
    served = with_policies(predictive("early", "text", str(tmp_path / "gone.json")))
    with caplog.at_level(logging.ERROR, "undertow.gateway"):
        assert engine_of(served, tmp_path).classifiers == {}
    assert [(record.message, record.policy) for record in caplog.records] == [("classifier_not_loaded", "early")]


def test_a_calibrated_cascade_gets_its_judges_and_follows_the_store_s_thresholds(tmp_path):
    sha256 = write_calibration(calibration(), tmp_path / "c.json")
    auto = msgspec.structs.replace(cascade(tmp_path / "c.json"), mode="route")
    served = msgspec.structs.replace(plan(), policies=(auto,))
    write_states(tmp_path / THRESHOLDS, states(sha256, threshold=0.97))
    engine = engine_of(served, tmp_path)
    [(policy, tier, standing, is_suspect)] = standings(engine.judges)
    assert (policy, tier, standing.threshold, is_suspect) == ("auto", "cheap", 0.97, False)
    assert acceptance_by(engine.judges)("auto", "cheap", {}) is None  # what was certified is another threshold
    assert acceptance_by(engine.judges)("auto", "capable", {}) is None
    engine.thresholds._looked_s = float("-inf")
    write_states(tmp_path / THRESHOLDS, states(sha256, threshold=calibration().groups[0].threshold))
    engine.refresh()
    assert acceptance_by(engine.judges)("auto", "cheap", {}) == pytest.approx(0.4)
    engine.thresholds._looked_s = float("-inf")
    write_states(tmp_path / THRESHOLDS, states(sha256, version=2, threshold=0.5, is_void=True))
    engine.refresh()
    assert next(standings(engine.judges))[2].blocked == "calibration_void"


def test_what_an_engine_routes_is_remembered_for_the_next_turn(tmp_path):
    served = msgspec.structs.replace(plan(), policies=(cascade(),))
    engine = engine_of(served, tmp_path)
    body = json.dumps({"model": "auto", "messages": [{"role": "user", "content": "hi"}]}).encode()

    def setting():
        context = Context("d", "2026-03-01T00:00:00.000Z", time.perf_counter(), {}, conversation_id="c")
        return engine.admission.admit(engine.dialects["/v1/chat/completions"], body, context).placement.setting

    assert setting().last_tier is None
    answered = DecisionRecord(
        decision_id="d",
        event_time="t",
        conversation_id="c",
        policy="auto",
        mode="route",
        tier="capable",
        escalated=True,
    )
    engine.router.parts.on_record(answered, None, None)
    assert (setting().last_tier, setting().stays) == ("capable", True)


def test_a_writer_is_named_for_what_it_is():
    assert writer_name("w3").startswith("w3.")
