"""A Django Channels application under daphne: health as JSON, a consumer that greets, only for pages of its own hosts.

TOKEN: the only bearer token that is let in; empty: any. BROKEN: the consumer raises when somebody connects.
"""

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

from channels.generic.websocket import AsyncJsonWebsocketConsumer  # noqa: E402  settings come first
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from daphne.endpoints import build_endpoint_description_strings  # noqa: E402
from daphne.server import Server  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.http import HttpRequest, JsonResponse  # noqa: E402
from django.urls import path  # noqa: E402


class Chat(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
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
