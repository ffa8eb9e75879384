"""The DuckDB queries from spans, entries and measurements to small tables of services.

They expect `spans` and `measurements` with the columns of the schema, `entries` with service, trace_id, span_id, timestamp,
severity_number, header and body, and `windows` with number, a and b (seconds since 1970), has_spans, is_quiet and is_last.
"""

from __future__ import annotations

# Where in the source a line was written, as loggers put it before the message: `OrderService#42`, `app/views.py:17`.
_PLACE = r"([A-Za-z_][\w.\[\]$/]*[#:][0-9]+)(?:[^0-9:.]|$)"
# A message up to where values begin: an object, a list of arguments, a first assignment.
_TOLD = r"regexp_replace(regexp_replace(split_part(body, chr(10), 1)[:300], '[A-Za-z0-9_.\-]*[0-9][A-Za-z0-9_.\-]*', '<*>', 'g'), '[{{(=].*$', '')"
_ERROR = 17
# Lines without a trace are counted by such slots.
_SLOT_S = 10

# Alone between marks, or long enough to be no part of a name.
ID = r"\b(?:[0-9]+|[0-9a-f]{16,}|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12})\b"

PREPARE = (
    # A trace begins with its first span by the clock of whoever has no parent: other clocks may be wrong.
    """CREATE OR REPLACE TABLE begun AS
       SELECT trace_id, epoch(coalesce(min(started) FILTER (parent_id IS NULL), min(started))) AS t FROM spans GROUP BY trace_id""",
    """CREATE OR REPLACE TABLE placed AS
       SELECT trace_id, number * {buckets} + least({buckets} - 1, CAST(floor((t - a) / (b - a) * {buckets}) AS INTEGER)) AS g
       FROM begun JOIN windows ON t >= a AND t < b AND has_spans""",
    # An operation may hold the ids that it was asked for: numbers that stand alone, and UUIDs.
    """CREATE OR REPLACE TABLE s AS
       SELECT trace_id, span_id, parent_id, service, instance, regexp_replace(operation, '{id}', '<*>', 'g') AS operation,
         epoch(started) AS a, epoch(started) + took_s AS b, took_s, status = 'error' AS failed
       FROM spans JOIN placed USING (trace_id)""",
    """CREATE OR REPLACE TABLE below AS
       SELECT p.trace_id, p.span_id AS parent, p.service AS caller, p.instance AS from_instance, p.a AS pa, p.b AS pb, k.*  EXCLUDE (trace_id, parent_id)
       FROM s p JOIN s k ON k.trace_id = p.trace_id AND k.parent_id = p.span_id AND k.span_id <> p.span_id""",
    # A call is a span inside its service that has nothing below it but one other service; a span that a request began with does
    # more than call.
    """CREATE OR REPLACE TABLE remote AS
       SELECT b.trace_id, b.parent, any_value(b.service) AS remote, arg_min(b.operation, b.a) AS asked
       FROM below b JOIN below inner_ ON inner_.trace_id = b.trace_id AND inner_.span_id = b.parent AND inner_.caller = inner_.service
       GROUP BY ALL HAVING min(b.service) = max(b.service) AND any_value(b.service) <> any_value(b.caller)""",
    # A call is named by what it calls, anything else by what began it in the same service.
    """CREATE OR REPLACE TABLE named AS
       SELECT s.*, r.remote, p.operation AS inside,
         CASE WHEN r.remote IS NOT NULL THEN s.operation || ' → ' || r.remote || ' ' || r.asked
              WHEN p.service = s.service THEN p.operation || ' > ' || s.operation ELSE s.operation END AS name
       FROM s LEFT JOIN remote r ON r.trace_id = s.trace_id AND r.parent = s.span_id
       LEFT JOIN s p ON p.trace_id = s.trace_id AND p.span_id = s.parent_id AND p.span_id <> s.span_id AND p.service = s.service""",
    """CREATE OR REPLACE TABLE operations AS
       SELECT row_number() OVER (ORDER BY service, name, remote) - 1 AS operation, service, name, any_value(remote) AS remote
       FROM named GROUP BY service, name, remote""",
    """CREATE OR REPLACE TABLE known AS
       SELECT n.*, o.operation AS o FROM named n JOIN operations o ON o.service = n.service AND o.name = n.name AND o.remote IS NOT DISTINCT FROM n.remote""",
    # Own time: without what children cover, each moment once; a child outside its parent has another clock and is put into its
    # middle; a span beside, within the same time of the same instance, covers too: it was awaited and not begun by it.
    # Where hundreds are beside each other, they are a loop.
    """CREATE OR REPLACE TABLE few AS SELECT trace_id, parent FROM below GROUP BY ALL HAVING count(*) <= 200""",
    """CREATE OR REPLACE TABLE covers AS
       SELECT trace_id, parent AS span_id, greatest(a - shift, pa) AS a, least(b - shift, pb) AS b FROM (
         SELECT *, CASE WHEN (a < pa OR b > pb) AND from_instance IS DISTINCT FROM instance THEN a - (pa + greatest(0, (pb - pa - took_s) / 2)) ELSE 0 END AS shift FROM below)
       UNION ALL
       SELECT p.trace_id, p.span_id, k.a, k.b FROM s p JOIN few ON few.trace_id = p.trace_id AND few.parent = p.parent_id JOIN s k ON k.trace_id = p.trace_id AND k.parent_id = p.parent_id AND k.span_id <> p.span_id
         AND k.instance IS NOT DISTINCT FROM p.instance AND k.service = p.service AND k.a >= p.a AND k.a < p.b AND k.took_s < p.took_s * 1.02 AND k.b <= p.b + 0.02 * p.took_s AND (k.a > p.a OR k.b < p.b)""",
    """CREATE OR REPLACE TABLE own AS
       WITH reached AS (SELECT *, max(b) OVER (PARTITION BY trace_id, span_id ORDER BY a, b ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS so_far FROM covers WHERE b > a),
       covered AS (SELECT trace_id, span_id, sum(greatest(0, b - greatest(a, coalesce(so_far, a)))) AS c FROM reached GROUP BY ALL)
       SELECT trace_id, o, median(ln(greatest(0, took_s - coalesce(c, 0)) + {least})) AS v FROM known LEFT JOIN covered USING (trace_id, span_id) GROUP BY ALL""",
    # Log entries: to their span, else to the first span of their service in the trace, else to the log of the service.
    rf"""CREATE OR REPLACE TABLE said AS
       SELECT epoch(timestamp) AS t, service, trace_id, span_id, coalesce(severity_number, 0) AS severity, nullif(regexp_extract(coalesce(header, ''), '{_PLACE}', 1), '') AS place, {_TOLD} AS told
       FROM entries""",
)
TEXTS = f"SELECT DISTINCT told FROM said WHERE place IS NULL OR severity >= {_ERROR}"
STEPS = (
    f"""CREATE OR REPLACE TABLE lines AS
       SELECT t, service, trace_id, span_id, severity >= {_ERROR} AS is_error,
         CASE WHEN place IS NULL THEN kind WHEN severity >= {_ERROR} THEN place || ' ' || kind ELSE place END AS what
       FROM said LEFT JOIN kinds ON kinds.text = said.told""",
    """CREATE OR REPLACE TABLE firsts AS SELECT trace_id, service, arg_min(span_id, a) AS first FROM s GROUP BY ALL""",
    """CREATE OR REPLACE TABLE in_spans AS
       SELECT l.what, l.is_error, l.trace_id, coalesce(s.span_id, f.first) AS span_id FROM lines l
       LEFT JOIN s ON s.trace_id = l.trace_id AND s.span_id = l.span_id
       LEFT JOIN firsts f ON f.trace_id = l.trace_id AND f.service = l.service
       WHERE coalesce(s.span_id, f.first) IS NOT NULL""",
    """CREATE OR REPLACE TABLE has AS
       SELECT DISTINCT p.o, p.trace_id, p.span_id, 'call' AS kind, k.name AS what, p.service FROM known p JOIN known k ON k.trace_id = p.trace_id AND k.parent_id = p.span_id AND k.span_id <> p.span_id
       UNION ALL SELECT DISTINCT o, trace_id, span_id, CASE WHEN is_error THEN 'error line' ELSE 'line' END, what, service FROM in_spans JOIN known USING (trace_id, span_id)
       UNION ALL SELECT o, trace_id, span_id, 'error', 'an error of its own', service FROM known k WHERE failed AND NOT EXISTS (
         FROM s c WHERE c.trace_id = k.trace_id AND c.parent_id = k.span_id AND c.span_id <> k.span_id AND c.failed)""",
    # Who answers a call, by the place that it is made at: what does not answer has no spans that could say so.
    """CREATE OR REPLACE TABLE asking AS
       SELECT service, inside, operation, (SELECT coalesce(max(operation), -1) + 1 FROM operations) + row_number() OVER (ORDER BY service, inside, operation) - 1 AS o
       FROM (SELECT DISTINCT service, inside, operation FROM known WHERE remote IS NOT NULL)""",
    """CREATE OR REPLACE TABLE asked AS
       SELECT k.trace_id, k.span_id, a.o, k.remote FROM known k JOIN asking a ON a.service = k.service AND a.operation = k.operation AND a.inside IS NOT DISTINCT FROM k.inside""",
    """INSERT INTO operations SELECT o, service, coalesce(inside || ' > ', '') || operation || ' (calls)', NULL FROM asking""",
    """INSERT INTO has SELECT o, trace_id, span_id, CASE WHEN remote IS NULL THEN 'no answer' ELSE 'answer' END, coalesce(remote, ''), coalesce(remote, '') FROM asked""",
    """CREATE OR REPLACE TABLE ran AS
       SELECT o, trace_id, count(*) AS n FROM (SELECT o, trace_id FROM known UNION ALL SELECT o, trace_id FROM asked) GROUP BY ALL""",
    # Lines without a trace: slots of time are what traces are elsewhere.
    f"""CREATE OR REPLACE TABLE slots AS
       SELECT DISTINCT l.service, l.what, l.is_error, 'slot ' || CAST(floor(t / {_SLOT_S}) AS BIGINT) AS trace_id, number * {{buckets}} + least({{buckets}} - 1, CAST(floor((floor(t / {_SLOT_S}) * {_SLOT_S} + {_SLOT_S} / 2 - a) / (b - a) * {{buckets}}) AS INTEGER)) AS g
       FROM lines l JOIN windows ON floor(t / {_SLOT_S}) * {_SLOT_S} + {_SLOT_S} / 2 >= a AND floor(t / {_SLOT_S}) * {_SLOT_S} + {_SLOT_S} / 2 < b AND has_spans
       WHERE l.trace_id IS NULL AND l.service IS NOT NULL""",
    """CREATE OR REPLACE TABLE logging AS
       SELECT service, (SELECT coalesce(max(operation), -1) + 1 FROM operations) + row_number() OVER (ORDER BY service) - 1 AS o FROM (SELECT DISTINCT service FROM slots)""",
    """INSERT INTO operations SELECT o, service, 'its log', NULL FROM logging""",
    """INSERT INTO placed SELECT DISTINCT trace_id, g FROM slots""",
    """INSERT INTO ran SELECT DISTINCT o, trace_id, 1 FROM slots JOIN logging ON true""",
    """INSERT INTO has SELECT o, trace_id, trace_id, CASE WHEN is_error THEN 'error line' ELSE 'line' END, what, service FROM slots JOIN logging USING (service)""",
    """CREATE OR REPLACE TABLE shares AS
       SELECT h.o, h.trace_id, h.kind, h.what, h.service, count(*) / any_value(r.n) AS share FROM has h JOIN ran r ON r.o = h.o AND r.trace_id = h.trace_id GROUP BY ALL""",
    # A step that is missing now and then on quiet days too, with what else it is missing with: given its companion it is steady,
    # and that it is missing alone is something else.
    """CREATE OR REPLACE TABLE whole AS
       SELECT o, trace_id, kind, what, service, number IN (SELECT number FROM windows WHERE is_quiet) AS is_quiet FROM shares JOIN placed USING (trace_id) JOIN windows ON number = g // {buckets}
       WHERE share >= 1 AND kind IN ('call', 'line')""",
    """CREATE OR REPLACE TABLE met AS SELECT o, kind, what, service, count(*) AS n FROM whole WHERE is_quiet GROUP BY ALL""",
    """CREATE OR REPLACE TABLE unsteady AS
       SELECT m.* FROM met m JOIN (SELECT o, count(*) AS n FROM ran JOIN placed USING (trace_id) JOIN windows ON number = g // {buckets} WHERE is_quiet GROUP BY o) r ON r.o = m.o
       WHERE m.n >= 5 AND m.n < 0.9 * r.n""",
    """CREATE OR REPLACE TABLE companions AS
       SELECT f.o, f.kind, f.what, f.service, g.kind AS given_kind, g.what AS given
       FROM unsteady u JOIN whole f ON f.is_quiet AND f.o = u.o AND f.kind = u.kind AND f.what = u.what AND f.service = u.service
       JOIN whole g ON g.is_quiet AND g.o = f.o AND g.trace_id = f.trace_id AND g.service = f.service AND (g.kind <> f.kind OR g.what <> f.what)
       JOIN met ON met.o = g.o AND met.kind = g.kind AND met.what = g.what AND met.service = g.service
       GROUP BY f.o, f.kind, f.what, f.service, g.kind, g.what HAVING count(*) >= 0.95 * any_value(met.n) AND count(*) >= 0.5 * any_value(u.n) AND any_value(met.n) >= 5
       QUALIFY row_number() OVER (PARTITION BY f.o, f.kind, f.what, f.service ORDER BY any_value(met.n) DESC, g.kind, g.what) <= 3""",
    """CREATE OR REPLACE TABLE given AS
       SELECT c.o AS whose, given_kind, given, (SELECT coalesce(max(operation), -1) + 1 FROM operations) + row_number() OVER (ORDER BY c.o, given_kind, given) - 1 AS o
       FROM (SELECT DISTINCT o, given_kind, given FROM companions) c""",
    """INSERT INTO operations SELECT n.o, op.service, op.name || ', with ' || n.given || ',', NULL FROM given n JOIN operations op ON op.operation = n.whose""",
    """INSERT INTO ran SELECT n.o, w.trace_id, 1 FROM given n JOIN whole w ON w.o = n.whose AND w.kind = n.given_kind AND w.what = n.given""",
    """INSERT INTO shares SELECT n.o, sh.trace_id, c.kind, c.what, c.service, sh.share FROM given n JOIN companions c ON c.o = n.whose AND c.given_kind = n.given_kind AND c.given = n.given
       JOIN ran r ON r.o = n.o JOIN shares sh ON sh.o = n.whose AND sh.trace_id = r.trace_id AND sh.kind = c.kind AND sh.what = c.what AND sh.service = c.service""",
    """CREATE OR REPLACE TABLE steps AS
       SELECT row_number() OVER (ORDER BY o, kind, what, service) - 1 AS step, o, kind, what, service FROM (SELECT DISTINCT o, kind, what, service FROM shares)""",
)  # fmt: skip
OPERATIONS = "SELECT service, name, remote FROM operations ORDER BY operation"
STEPS_KNOWN = "SELECT o AS operation, kind, what, service FROM steps ORDER BY step"
TRACES = "SELECT o AS row, g, count(*) AS value FROM ran JOIN placed USING (trace_id) GROUP BY ALL"
HELD = """SELECT step AS row, g, sum(least(share, 1)) AS value FROM shares sh JOIN placed USING (trace_id)
  JOIN steps st ON st.o = sh.o AND st.kind = sh.kind AND st.what = sh.what AND st.service = sh.service GROUP BY ALL"""
_RANKED = """SELECT {row} AS row, g, v, (rank() OVER (PARTITION BY {row} ORDER BY v) + (count(*) OVER (PARTITION BY {row}, v) - 1) / 2.0) / count(*) OVER (PARTITION BY {row}) AS rank FROM {table}"""
_SUMMED = "SELECT row, g, count(*) AS count, sum(v) AS total, sum(v * v) AS squares, sum(rank) AS ranks FROM ({ranked}) GROUP BY ALL"
OWN = _SUMMED.format(ranked=_RANKED.format(row="o", table="own JOIN placed USING (trace_id)"))
# What an instance uses up, by the words of Prometheus, OpenTelemetry and cAdvisor; a node is shared by many services.
_RESOURCE = "(^|[^a-z])(cpu|mem|memory|heap|throttl|disk|fs|filesystem|fds?|threads|gc)([^a-z]|$)|cpu(usage|time|util|_)|mem(ory)?(usage|util|_)|throttled"
_OF_A_NODE = "^(?i:node|host|machine|system)[A-Z_.]"
# A measurement tells of the time since the one before it, so it stands for the middle of that; the last may come after the window.
SERIES = f"""CREATE OR REPLACE TABLE uses AS
    WITH found AS (
      SELECT service, instance, name, value, epoch(timestamp) AS t, epoch(timestamp) - lag(epoch(timestamp)) OVER (PARTITION BY service, instance, name ORDER BY timestamp) AS since_last
      FROM measurements
      WHERE regexp_matches(lower(regexp_replace(name, '([a-z])([A-Z])', '\\1_\\2', 'g')), '{_RESOURCE}') AND NOT regexp_matches(name, '{_OF_A_NODE}') AND value >= 0),
    usual AS (SELECT least(coalesce(median(since_last), 0), 300) / 2 AS half FROM found),
    middles AS (SELECT * EXCLUDE (t), t - half AS t, half FROM found, usual)
    SELECT service, instance, name, value, number * {{buckets}} + least({{buckets}} - 1, CAST(floor((t - a) / (b - a) * {{buckets}}) AS INTEGER)) AS g
    FROM middles JOIN windows ON t >= a AND t < b + CASE WHEN is_last THEN half ELSE 0 END;
  CREATE OR REPLACE TABLE series AS
    SELECT row_number() OVER (ORDER BY service, instance, name) - 1 AS series, service, instance, name FROM (SELECT DISTINCT service, instance, name FROM uses);
  CREATE OR REPLACE TABLE least_of AS SELECT name, greatest(max(value) * {{least}}, 1e-9) AS least FROM uses GROUP BY name;
  CREATE OR REPLACE TABLE used AS
    SELECT series, g, ln(value + least_of.least) AS v FROM uses JOIN series USING (service, instance, name) JOIN least_of USING (name);
  SELECT service, instance, name, least FROM series JOIN least_of USING (name) ORDER BY series"""
USED = _SUMMED.format(ranked=_RANKED.format(row="series", table="used"))
CALLS = "SELECT DISTINCT caller, service FROM below WHERE caller <> service"
SERVICES = "SELECT service FROM (SELECT service FROM s UNION SELECT service FROM series) ORDER BY service"
