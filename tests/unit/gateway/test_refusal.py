import json

from undertow.gateway.refusal import RefusedError


def test_a_refusal_has_openai_s_shape():
    body = json.loads(RefusedError(404, "no such model", code="model_not_found", param="model").body())
    assert body == {
        "error": {
            "message": "no such model",
            "type": "invalid_request_error",
            "param": "model",
            "code": "model_not_found",
        }
    }
