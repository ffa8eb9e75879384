"""What words of a log message say: which tell its kind, and so are never left out as values, and which announce a value.

The lists are English and short on purpose: where a word is not known, messages stay apart.
"""

from __future__ import annotations

import re


def listed(words: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(words.split())


# States and outcomes: a message that differs in one of these says something else.
STATES = listed(
    """
    abnormal abort aborted absent accept accepted active added admin-down alive allow allowed asleep attached authenticated
    available awake away back bad blocked broken busy cancel canceled cancelled changed clean clear closed closing cold
    complete completed connected corrupt crash crashed created critical dead debug degraded deleted denied deny detached
    dirty disabled disconnected done dormant down draining drop dropped eager empty enabled end ended error exceeded
    exhausted exited expired fail failed failing false fatal fault faulty finish finished follower following forbidden found
    frozen full gone good halt halted healthy high hung idle ignored inactive incomplete inconsistent infinite info
    initialized initializing installed insufficient invalid joined killed large late leader leading left loaded locked
    logged long looking lost low maintenance malformed master mild mismatch missing mounted moved new nil no none normal
    notice null off offline ok okay old on online open opened opening out overflow overload paid panic partial passed
    passive paused pending permanent primary read read-only readable readonly ready reboot rebooting recovered recovering
    recovery refused reject rejected released removed replica reset restarted restarting restored resume resumed retry
    retrying running secondary severe short shutdown silent skipped slave slow small stale stalled standby start started
    starting startup stop stopped stopping stuck succeeded success successful suspended synced temporary terminated timedout
    timeout trace transient true unauthorized unavailable unchanged undefined unhealthy unknown unloaded unlocked unmounted
    unprocessable unreachable unsupported up updated valid waiting warm warn warning writable write written wrong yes
    """
)
# What is done: "user login failed" and "user logout failed" are two kinds.
_ACTIONS = listed(
    """
    backup boot call check commit connect copy create delete disconnect download dump export fetch flush get handshake import
    insert install join kill leave list load lock login logoff logon logout lookup merge mount move open patch post pull push
    put query receive refund register reload remove rename renew reopen replay restore rollback save scan search select send
    set setup shutdown signin signout signup sync transfer truncate unlock unmount update upgrade upload upsert verify wait
    checkout head options
    """
)
_KINDS = listed(
    "agent data group groups id ids info information input key keys list name names profile request session token type types"
)
_STOP = listed(
    """
    a about after again all already also although an and another any anymore anyway are as at be because been before being
    between both but by can cannot could did do does doing done during each either else enough even ever every few for from
    had has have having he here how however i if in instead into is it its just later less many may maybe might more most
    much must neither never next nor not nothing now of off often on once one only onto or other our out over own per rather
    same seldom several shall she should since so some soon still such than that the their them then there these they this
    those though through to too twice under unless until upon us very via was we well were what when where whether which
    while who whom whose why will with within without would yet you your
    """
)
# Behind one of these stands what went wrong, or how it stands.
_TELLING = listed(
    """
    action alert are be became because become becomes been body caller cannot category cause caused check cmd code command
    comment component condition content could desc descr description detail details due err errno error errors event exc
    exception facility fail failed failing fails failure failures fatal func function health hint info is kind level log
    logger lvl message method mode module msg not note notice op operation outcome panic phase probe problem rc reason
    remark res result ret returned returns rule severity signal stack stage stat state states status stderr step subject
    success summary symptom text title transition type verdict warning was were what why
    """
)
_OF_STATE = listed(
    "became become changed changes level mode phase role stage state states status switched switching transition transitioned transitioning turned"
)
PREPOSITIONS = listed(
    "at by for from in inside into of on onto over through to towards under using via within"
)
# What is called by a name, so that the word behind it is one.
NOUNS = listed(
    "account bucket client cluster container database device domain folder host hostname interface namespace node owner peer pod "
    "queue schema server service table tenant topic user username volume worker"
)
_PART = re.compile(r"[A-Z]+[a-z]*|[a-z]+")
_MEANING = re.compile(
    r"(?i:[\w.$-]*(?:ed|ing|tion|sion|able|ible|ment|ness|less|ful|ure)|(?:un|in|mis|non-?)\w*able|e(?:again|access|acces|perm|pipe|io|exist|inval|conn\w+|timedout|host\w+|net\w+|no[a-z]+|addr\w+|mfile|busy|intr|proto\w*))"
)
_RAISED = re.compile(
    r"(?i)(?:error|exception|failure|fault|throwable|timeout|refused|denied|warning|panic)s?$"
)


def is_state(word: str) -> bool:
    """Whether a word says how something stands or came out, or what was raised."""
    return word.lower().strip(".-*!?") in STATES or bool(_RAISED.search(word))


def is_telling(name: str) -> bool:
    """Whether what stands behind this key or word says what happened, and is no value.

    >>> [is_telling(name) for name in ("status", "errorType", "user", "last_reason")]
    [True, True, False, True]
    """
    return name.lower() in _TELLING or any(part.lower() in _TELLING for part in _PART.findall(name))


def tells(word: str) -> bool:
    """Whether a word of a message, and no key, announces what happened or how it stands."""
    low = word.lower().strip("\"'():=,")
    return low in _TELLING or low.removesuffix("s") in _TELLING


def may_be_name(word: str, *, strictly: bool = True) -> bool:
    """Whether a word of a message could be the name of something: no state, no action, no small word.

    strictly: nor what ends as verbs and their nouns do ("revoked", "deletion"), as some names do ("Fred").
    """
    low = word.lower().strip(".-")
    if len(low) == 1 and low.isalpha():
        return True
    if not low or low in _STOP or low in _ACTIONS or low in _KINDS or is_state(low):
        return False
    return not (strictly and _MEANING.fullmatch(word))


def tells_of_state(words: list[str]) -> bool:
    """Whether words around a place speak of a state, so that even behind "to" none but a state stands."""
    return any(word.lower() in _OF_STATE for word in words)
