"""The frontend: one page, and a health page in plain text."""

from __future__ import annotations

from fastapi import FastAPI
from fastapi.responses import HTMLResponse, PlainTextResponse

app = FastAPI(title="Rehearsal frontend", version="1.0.0", openapi_url=None)


@app.get("/", response_class=HTMLResponse)
def page() -> str:
    return "<!doctype html><html lang=en><title>Rehearsal</title><h1>Rehearsal</h1><p>Chat with an agent.</p></html>"


@app.get("/healthz", response_class=PlainTextResponse)
def health() -> str:
    return "ok: frontend build 1.0.0"
