"""A Django Channels application under daphne: health as JSON, a consumer that greets, only for pages of its own hosts.

TOKEN: the only bearer token that is let in; empty: any. BROKEN: the consumer raises when somebody connects.
"""

# ruff: noqa: E402  # Django reads its settings while the modules below are imported

from __future__ import annotations

import os
import sys
from typing import Any

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="only for tests",
    INSTALLED_APPS=["channels"],
)
django.setup()

from channels.generic.websocket import AsyncJsonWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server
from django.core.asgi import get_asgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path


class Chat(AsyncJsonWebsocketConsumer):  # type: ignore[misc]  # Channels has no types
    async def connect(self) -> None:
        token = os.environ.get("TOKEN")
        if token and dict(self.scope["headers"]).get(b"authorization") != f"Bearer {token}".encode():
            await self.close()
            return
        if os.environ.get("BROKEN"):
            raise RuntimeError("the channel layer is down")
        await self.accept()
        await self.send_json({"type": "welcome"})

    async def receive_json(self, content: Any, **_: Any) -> None:
        await self.send_json(content)


def health(_: HttpRequest) -> JsonResponse:
    return JsonResponse({"status": "ok"})


urlpatterns = [path("health", health)]

if __name__ == "__main__":
    sockets = AllowedHostsOriginValidator(URLRouter([path("ws/chat/", Chat.as_asgi())]))
    Server(
        ProtocolTypeRouter({"http": get_asgi_application(), "websocket": sockets}),
        endpoints=build_endpoint_description_strings(host="127.0.0.1", port=int(sys.argv[1])),
        signal_handlers=True,
    ).run()
