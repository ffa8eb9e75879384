"""Kinds that a health page shows: of Node's HTTP server, of nginx answering by itself, and of aiohttp."""

from __future__ import annotations

from abroad.kinds import FAIL, HTML, OPEN, Asked, Dice, Kind, Scene, Server, State, Words, catalogue, page

PAGES: list[Kind] = []
kind = catalogue(PAGES)
BROKEN, WELL, UNASKED = State.BROKEN, State.WELL, State.UNASKED


def says(dice: Dice, *pages: Words, at: str = "", make: str = "", **more: Words) -> Scene:
    """A server whose health page is one of these each time; every other path is 404."""
    kept = make or ("bare" if len(pages) > 1 else dice.page_make())
    spec = {"pages": {at or dice.health_path(): list(pages)}, **more}
    return Scene(server=Server(make=kept, words=spec))


# Broken, with a page that says so in its way ---------------------------------------------------------------------------


@kind("flag-false", "200, and a flag for health is false", BROKEN)
def _(dice: Dice) -> Scene:
    flag = dice.of("healthy", "isHealthy", "ok", "up", "overall_status", "alive", "ready")
    return says(dice, page(f'{{"{flag}": false, "{dice.part()}": "down"}}'))


@kind("nested-down", "200, no word at the top, one part is down", BROKEN, OPEN, FAIL)
def _(dice: Dice) -> Scene:
    parts = dice.of("components", "checks", "services", "dependencies")
    word = dice.of("DOWN", "down", "unhealthy", "critical")
    return says(dice, page(f'{{"{parts}":{{"{dice.part()}":{{"status":"{word}"}},"cpu":{{"status":"UP"}}}}}}'))  # fmt: skip


@kind("top-down-nested-up", "200, DOWN at the top, parts are up", BROKEN)
def _(dice: Dice) -> Scene:
    word = dice.of("DOWN", "OUT_OF_SERVICE", "fail", "unhealthy", "NOT_SERVING", "red", "offline", "unavailable", "error")  # fmt: skip
    return says(dice, page(f'{{"status":"{word}","components":{{"{dice.part()}":{{"status":"UP"}}}}}}'))


@kind("maintenance-page", "200 with a page for people that says: maintenance", BROKEN, OPEN, FAIL)
def _(dice: Dice) -> Scene:
    title = dice.of("Scheduled maintenance", "We'll be right back", "Down for maintenance", "Under maintenance")  # fmt: skip
    text = f"<html><head><title>{title.replace(chr(39), '&#39;')}</title></head><body><h1>{dice.word()}</h1><p>Maintenance in progress</p></body></html>"
    return says(dice, page(text, type=HTML))


@kind("status-503-body-up", "the health page is 503, its body says UP", BROKEN)
def _(dice: Dice) -> Scene:
    return says(dice, page('{"status":"UP"}', 503))


@kind("actuator-503-root-page", "the health page is 503, / is a page", BROKEN)
def _(dice: Dice) -> Scene:
    found = {"/actuator/health": [page('{"status":"DOWN"}', 503)], "/": [page(f"<h1>{dice.word()}</h1>", type=HTML)]}  # fmt: skip
    return Scene(server=Server(make=dice.page_make(), words={"pages": found}))


@kind("degraded", "200, and it calls itself degraded", BROKEN, OPEN, FAIL)
def _(dice: Dice) -> Scene:
    text = dice.of('{"status":"Degraded","entries":{"db":{"status":"Healthy"}}}', '{"status":"degraded"}', '{"status": "partial_outage"}', '{"state":"impaired"}')  # fmt: skip
    return says(dice, page(text))


@kind("text-ill", "200, and the text says that it is not well", BROKEN, FAIL, OPEN)
def _(dice: Dice) -> Scene:
    return says(dice, page(dice.of("Unhealthy", "DOWN", "NOT OK", "Degraded", "ERROR: db", "not ready"), type="text/plain"))  # fmt: skip


@kind("check-list-failed", "the list of checks of Kubernetes, one of them failed, with 200", BROKEN)
def _(dice: Dice) -> Scene:
    text = f"[+]ping ok\n[-]{dice.part()} failed: reason withheld\nreadyz check failed\n"
    return says(dice, page(text, type="text/plain"), at=dice.of("/readyz", "/healthz", "/livez"))


@kind("alive-not-ready", "/livez is 200, /readyz is 503", BROKEN)
def _(dice: Dice) -> Scene:
    found = {"/livez": [page("ok", type="text/plain")], "/readyz": [page(dice.of("", "no", "starting"), 503, "text/plain")]}  # fmt: skip
    return Scene(server=Server(make=dice.page_make(), words={"pages": found}))


@kind("xml-down", "200, the status in XML is DOWN", BROKEN, FAIL, OPEN)
def _(dice: Dice) -> Scene:
    return says(dice, page(f"<health><service>{dice.word()}</service><status>DOWN</status></health>", type="application/xml"))  # fmt: skip


@kind("one-of-a-list-critical", "200, a list of checks, one of which is critical", BROKEN, OPEN, FAIL)
def _(dice: Dice) -> Scene:
    word = dice.of("critical", "failing", "down")
    return says(dice, page(f'[{{"Node":"a","Status":"passing"}},{{"Node":"b","Status":"{word}"}}]'))


@kind("stale-copy", "a copy from a cache, a day old", BROKEN, OPEN, FAIL)
def _(dice: Dice) -> Scene:
    age = dice.ms(3600, 200_000)
    return says(dice, page('{"status":"ok"}', headers={"Age": str(age), "X-Cache": "HIT"}))


@kind("stale-time-in-body", "the page says when it was made: months ago", BROKEN, OPEN, FAIL)
def _(dice: Dice) -> Scene:
    key = dice.of("timestamp", "time", "checkedAt", "generated_at", "lastChecked")
    return says(dice, page(f'{{"status":"ok","{key}":"2026-0{dice.ms(1, 9)}-03T10:00:0{dice.ms(0, 9)}Z"}}'))


@kind(
    "part-unavailable-in-words", "200, the value of a part tells that it is not available", BROKEN, FAIL, OPEN
)
def _(dice: Dice) -> Scene:
    return says(
        dice, page(f'{{"Cache backend":"working","{dice.part()}":"unavailable: connection refused"}}')
    )


@kind("errors-listed", "200, and errors are listed", BROKEN, OPEN, FAIL)
def _(dice: Dice) -> Scene:
    return says(
        dice, page(f'{{"{dice.of("errors", "failures", "problems")}":["{dice.part()} unreachable"]}}')
    )


@kind("fails-at-times", "a third of the answers is 503", BROKEN)
def _(dice: Dice) -> Scene:
    return says(dice, {**dice.well(), "weight": 2}, {**page('{"status":"DOWN"}', 503), "weight": 1})


@kind("cut-bodies", "every third body ends before its length", BROKEN)
def _(dice: Dice) -> Scene:
    well = dice.well()
    return says(dice, {**well, "weight": 2}, {**well, "weight": 1, "how": "cut"})


@kind("closes-without-a-word", "a fifth of the requests has no answer at all", BROKEN)
def _(dice: Dice) -> Scene:
    well = dice.well()
    return says(dice, {**well, "weight": 4}, {**well, "weight": 1, "how": "drop"})


@kind("hangs-at-times", "a fifth of the requests is never answered", BROKEN)
def _(dice: Dice) -> Scene:
    well = dice.well()
    return says(dice, {**well, "weight": 4}, {**well, "weight": 1, "how": "hang"})


@kind("says-down-at-times", "a quarter of the answers says DOWN with 200: one instance of four", BROKEN)
def _(dice: Dice) -> Scene:
    key = dice.of("status", "state")
    return says(dice, page(f'{{"{key}":"UP"}}', weight=3), page(f'{{"{key}":"DOWN"}}', weight=1))


@kind("certificate-expired", "its certificate expired yesterday", BROKEN)
def _(dice: Dice) -> Scene:
    server = Server(make=dice.make("bare", "nginx"), words={"pages": {"/health": [dice.well()]}}, tls="expired")  # fmt: skip
    return Scene(server=server, asked=Asked(scheme="https"))


# What stands there when it is asked again -------------------------------------------------------------------------------


@kind("later-any-page", "asked again: its health page has become a page for people", BROKEN)
def _(dice: Dice) -> Scene:
    path, make = dice.health_path(), dice.page_make()
    now = {"pages": {path: [page('{"status":"ok","version":"1"}')]}}
    then = {"pages": {path: [page("<html><title>Welcome</title>welcome</html>", type=HTML)]}}
    return Scene(server=Server(make=make, words=now), later=Server(make=make, words=then))


@kind("later-elsewhere", "asked again: its health page is gone, and another path answers", BROKEN, OPEN, FAIL)
def _(dice: Dice) -> Scene:
    make = dice.page_make()
    one, two = ({"pages": {path: [page('{"status":"ok"}')]}} for path in ("/health", dice.of("/status", "/healthz")))  # fmt: skip
    return Scene(server=Server(make=make, words=one), later=Server(make=make, words=two))


@kind("later-another-product", "asked again: another product answers, and is well", BROKEN)
def _(dice: Dice) -> Scene:
    path, make = dice.health_path(), dice.page_make()
    one, two = ({"pages": {path: [page(f'{{"status":"ok","service":"{name}"}}')]}} for name in ("chat-server", "billing"))  # fmt: skip
    return Scene(server=Server(make=make, words=one), later=Server(make=make, words=two))


# Well, in ways of its own ---------------------------------------------------------------------------------------------------


@kind("words", "it says in one of the usual words that it is well", WELL)
def _(dice: Dice) -> Scene:
    return says(dice, dice.well())


@kind("no-content", "the health page is 204", WELL)
def _(dice: Dice) -> Scene:
    return says(dice, page("", 204), at=dice.of("/health", "/ping", "/healthz"))


@kind("check-list", "the list of checks of Kubernetes, all ok", WELL)
def _(dice: Dice) -> Scene:
    text = f"[+]ping ok\n[+]{dice.part()} ok\nreadyz check passed\n"
    return says(dice, page(text, type="text/plain"), at=dice.of("/readyz", "/livez", "/healthz"))


@kind("slash-added", "the health page is behind a redirect that adds a slash", WELL)
def _(dice: Dice) -> Scene:
    path = dice.of("/health", "/status", "/healthz")
    sends = page("", dice.of(301, 307, 308), headers={"Location": f"{path}/"})
    found = {path: [sends], f"{path}/": [dice.well()]}
    return Scene(server=Server(make=dice.page_make(), words={"pages": found}))


@kind("one-page-application", "every path is the one page, beneath /api there is a real health page", WELL)
def _(dice: Dice) -> Scene:
    spec = {"pages": {"/api/health": [dice.well()]}, "under": {"/api/": [page('{"error":"not found"}', 404)]}}
    return Scene(server=Server(make=dice.page_make(), words={**spec, "else": [page("<html><title>app</title></html>", type=HTML)]}))  # fmt: skip


@kind("parts-all-up", "nested parts, all of them up", WELL)
def _(dice: Dice) -> Scene:
    parts = ",".join(f'"{name}":{{"status":"UP","details":{{"free":{dice.ms(10, 99)}}}}}' for name in ("db", "diskSpace", "ping"))  # fmt: skip
    return says(dice, page(f'{{"status":"UP","groups":["liveness","readiness"],"components":{{{parts}}}}}'))


@kind("says-nothing-of-itself", "200 and JSON without a word on health", WELL)
def _(dice: Dice) -> Scene:
    return says(dice, page(dice.of('{"version":"1.2"}', '{"uptime":$UPTIME}', '{"name":"api","docs":"/docs"}')))  # fmt: skip


@kind("front-page-alone", "only / is there, a page for people", WELL)
def _(dice: Dice) -> Scene:
    return says(dice, page(f"<html><title>{dice.word()}</title><h1>Welcome</h1></html>", type=HTML), at="/")


@kind("stated-path", "its health page is at a path of its own, which is given", WELL)
def _(dice: Dice) -> Scene:
    path = f"/{dice.word()}/{dice.of('internal', 'ops', '_')}/{dice.of('check', 'probe', 'state')}"
    scene = says(dice, dice.well(), at=path)
    return Scene(server=scene.server, asked=Asked(path=path))


@kind("packed", "bodies are packed with gzip, or come byte by byte", WELL)
def _(dice: Dice) -> Scene:
    return says(dice, {**dice.well(), "how": dice.of("gzip", "pieces")}, make="bare")


@kind("odd-encoding", "the body begins with a byte order mark, or is Latin-1", WELL)
def _(dice: Dice) -> Scene:
    odd = dice.of({"bom": True}, {"latin1": True, "type": "application/json; charset=iso-8859-1"})
    return says(dice, {**page('{"status":"ok","site":"Köln"}'), **odd}, make="bare")


@kind("closes-each-time", "every connection is closed after its answer", WELL)
def _(dice: Dice) -> Scene:
    return says(dice, dice.well(), make="bare", closes=True)  # type: ignore[arg-type]  # a word of the specification


@kind("slow-and-well", "every answer takes a third of a second", WELL)
def _(dice: Dice) -> Scene:
    return says(dice, {**dice.well(), "wait_ms": dice.ms(200, 400)}, make=dice.make("bare", "aiohttp"))


@kind("large-page", "a health page of 200 kB", WELL)
def _(dice: Dice) -> Scene:
    items = ",".join(f'{{"name":"check {n}","status":"UP"}}' for n in range(5000))
    return says(dice, page(f'{{"status":"UP","checks":[{items}]}}'), make="bare")


@kind("two-nodes", "two instances answer in turn and name themselves", WELL)
def _(dice: Dice) -> Scene:
    key = dice.of("node", "host", "instance", "pod")
    return says(dice, *(page(f'{{"status":"ok","{key}":"{name}-{dice.ms(1, 99)}"}}') for name in ("alpha", "beta")))  # fmt: skip


@kind("on-ipv6", "it listens on ::1 alone", WELL)
def _(dice: Dice) -> Scene:
    spec = {"pages": {dice.health_path(): [dice.well()]}, "address": "::1"}
    return Scene(server=Server(make=dice.make("bare", "aiohttp"), words=spec))


@kind("own-authority", "TLS with an authority of its own, which is given", WELL)
def _(dice: Dice) -> Scene:
    server = Server(make=dice.make("bare", "nginx"), words={"pages": {dice.health_path(): [dice.well()]}}, tls="own")  # fmt: skip
    return Scene(server=server, asked=Asked(scheme="https"))


@kind("client-certificate", "it wants a client certificate, which is given", WELL)
def _(dice: Dice) -> Scene:
    server = Server(make=dice.make("bare", "nginx"), words={"pages": {dice.health_path(): [dice.well()]}}, tls="client")  # fmt: skip
    return Scene(server=server, asked=Asked(scheme="https", has_certificate=True))


@kind("health-key", "the health page wants a header, which is stated", WELL)
def _(dice: Dice) -> Scene:
    name, key = dice.of("X-Api-Key", "X-Health-Key"), dice.secret()
    door = {"header": name, "unlike": f"^{key}$", "status": 401, "body": "unauthorized", "type": "text/plain"}
    scene = says(dice, {**dice.well(), "doors": [door]}, make=dice.make("bare", "aiohttp"))
    return Scene(server=scene.server, asked=Asked(token=key, options={"headers": (f"{name}=env:ABROAD_TOKEN",)}))  # fmt: skip


@kind("later-in-other-words", "asked again: it says in other words that it is well", WELL)
def _(dice: Dice) -> Scene:
    path, make = dice.health_path(), dice.page_make()
    one, two = ({"pages": {path: [page(text)]}} for text in ('{"status":"ok"}', dice.of('{"status":"UP"}', '{"status":"healthy","uptime":$UPTIME}')))  # fmt: skip
    return Scene(server=Server(make=make, words=one), later=Server(make=make, words=two))


@kind("later-new-version", "asked again: it names another version, and is well", WELL)
def _(dice: Dice) -> Scene:
    path, make = dice.health_path(), dice.page_make()
    one, two = ({"pages": {path: [page(f'{{"status":"ok","version":"{version}"}}')]}} for version in ("1.4.0", "1.4.1"))  # fmt: skip
    return Scene(server=Server(make=make, words=one), later=Server(make=make, words=two))


# Well, and asked in a way that cannot show it -------------------------------------------------------------------------------


@kind("one-page-for-all", "every path is the one page", UNASKED)
def _(dice: Dice) -> Scene:
    text = f"<html><title>{dice.word()}</title><script src=app.js></script></html>"
    return Scene(server=Server(make=dice.page_make(), words={"else": [page(text, type=HTML)]}))


@kind("behind-a-login", "health wants a login that was not given", UNASKED)
def _(dice: Dice) -> Scene:
    asks = dice.of(
        {"/health": [page("login first", 401, "text/plain", headers={"WWW-Authenticate": "Basic"})]},
        {"/": [page("", 302, headers={"Location": "/login"})]},
        {"/api/health": [page('{"message":"Forbidden"}', 403)]},
    )
    return Scene(server=Server(make=dice.page_make(), words={"pages": asks}))


@kind("firewall-against-probes", "a firewall stops whoever says that it is a probe", UNASKED)
def _(dice: Dice) -> Scene:
    door = {"header": "User-Agent", "like": "proofbook", "status": 403, "body": f"Blocked by rule {dice.ms(100, 999)}", "type": "text/plain"}  # fmt: skip
    spec = {"pages": {"/health": [{**dice.well(), "doors": [door]}]}, "else": [page("not found", 404, doors=[door])]}  # fmt: skip
    return Scene(server=Server(make=dice.make("bare", "aiohttp"), words=spec))


@kind("authority-not-given", "TLS with an authority of its own, which is not given", UNASKED)
def _(dice: Dice) -> Scene:
    server = Server(make=dice.make("bare", "nginx"), words={"pages": {"/health": [dice.well()]}}, tls="own")
    return Scene(server=server, asked=Asked(scheme="https", trusts=False))


@kind("client-certificate-not-given", "it wants a client certificate, which is not given", UNASKED)
def _(dice: Dice) -> Scene:
    server = Server(make=dice.make("bare", "nginx"), words={"pages": {"/health": [dice.well()]}}, tls="client")  # fmt: skip
    return Scene(server=server, asked=Asked(scheme="https"))


@kind("http-to-tls", "it speaks TLS, and is asked without, or the other way round", UNASKED)
def _(dice: Dice) -> Scene:
    tls, scheme = dice.of(("own", "http"), ("", "https"))
    server = Server(make="bare", words={"pages": {"/health": [dice.well()]}}, tls=tls)
    return Scene(server=server, asked=Asked(scheme=scheme))


@kind("warns", "it says warn, yellow or unknown", UNASKED)
def _(dice: Dice) -> Scene:
    return says(dice, page(f'{{"status":"{dice.of("warn", "yellow", "UNKNOWN")}"}}'))


@kind("stream-at-root", "/ is a stream that never ends, there is nothing else", UNASKED)
def _(dice: Dice) -> Scene:
    return says(dice, page("", type="text/event-stream", how="stream"), at="/", make=dice.make("bare", "aiohttp"))  # fmt: skip
