"""Fetches the OpenAPI documents that services publish."""

from __future__ import annotations

import json

import pandas as pd

from proofbook.collect.services.health import fetch_json
from proofbook.collect.session import Session
from proofbook.config.services import Service
from proofbook.evidence.schema import OPENAPI
from proofbook.files import parse_json


async def fetch_openapi(service: Service, *, session: Session) -> pd.DataFrame:
    """One row: service, timestamp (UTC), status (nullable int), document (JSON text, empty when it was not had), error."""
    assert service.openapi is not None
    status, text, error = await fetch_json(service, service.openapi, session=session)
    if status == 200:
        try:
            text = json.dumps(parse_json(text), sort_keys=True)
        except ValueError:
            text, error = "", "the answer is not JSON"
    else:
        text = ""
    row = {
        "service": service.name,
        "timestamp": pd.Timestamp.now("UTC"),
        "status": pd.NA if status is None else status,
        "document": text,
        "error": error,
    }
    return OPENAPI.frame([row])
