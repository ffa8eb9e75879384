"""The auth service: issues tokens to who knows the client secret, and checks them."""

from __future__ import annotations

import os
import secrets
from typing import Annotated

import jwt
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel

from proofbook.rehearsal import tokens

CLIENT_SECRET_VARIABLE = "REHEARSAL_CLIENT_SECRET"

app = FastAPI(title="Rehearsal auth", version="1.0.0")


class TokenRequest(BaseModel):
    user_id: str
    lifetime_s: float = 3600.0
    audience: str = tokens.AUDIENCE


class Token(BaseModel):
    access_token: str
    token_type: str = "bearer"


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "healthy", "service": "auth"}


@app.post("/token")
def token(request: TokenRequest, x_client_secret: Annotated[str, Header()] = "") -> Token:
    if not secrets.compare_digest(x_client_secret, os.environ[CLIENT_SECRET_VARIABLE]):
        raise HTTPException(401, "wrong client secret")
    return Token(
        access_token=tokens.issue(request.user_id, lifetime_s=request.lifetime_s, audience=request.audience)
    )


@app.get("/verify")
def verify(authorization: Annotated[str, Header()] = "") -> dict[str, str]:
    try:
        return {"user_id": tokens.check(authorization.removeprefix("Bearer "))}
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, str(error)) from None
