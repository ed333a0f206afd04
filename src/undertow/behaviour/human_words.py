"""Whether a message asks for a person: patterns in English, German, French and Spanish, and words of one's own.

A pattern needs the wish as well as the person: "my travel agent cancelled" and "is Santa a real person" ask for nobody.
Patterns run on the words of a message (`undertow.behaviour.normalising.words`) joined by single spaces, so they are
written without diacritics and apostrophes. Every gap is bounded: the time is linear in the text.
"""

import re
from collections.abc import Iterable

from undertow.behaviour.normalising import words

_EN_PERSON = (
    r"(?:humans?|persons?|real people|agents?|representatives?|reps?|operators?|advis[oe]rs?|supervisors?|managers?|employees?"
    r"|somebody|someone|staff|support team|customer (?:service|support|care)|support)"
)
_EN_REAL = r"(?:real|live|actual|human|proper) (?:person|human|agent|representative|rep|operator|being|advisor|support)"
# "talk to your manager" asks for one; "talk to my manager" does not.
_EN_GAP = r"(?: (?:an?|the|some|any|your|one|of|another|real|live|actual|proper|human|customer|support|sales|service|different)){0,3}"
_EN_END = r"(?= please| now| instead| who| to (?:talk|speak|help|handle|look|call|take)| on the| from| right| asap|$)"
_DE_PERSON = (
    r"(?:menschen?|person|mitarbeiter(?:in|n)?|berater(?:in)?|kolleg(?:e|en|in)|sachbearbeiter(?:in)?|agenten?|jemand(?:em|en)?"
    r"|vorgesetzten?|kundendienst|kundenservice|support)"
)
_DE_REAL = r"(?:echte[nrm]?|richtige[nrm]?|menschliche[nrm]?|lebende[nrm]?)"
_DE_ARTICLE = r"(?:einem |einer |einen |eine |ein |nem |ner |dem |der |den )?"
_FR_PERSON = (
    r"(?:humaine?|etre humain|personne|conseill(?:er|ere)|agente?|operat(?:eur|rice)|responsable|superieure?|quelquun"
    r"|service client|support)"
)
_FR_ARTICLE = r"(?:une? |le |la |lun |votre )?(?:vraie? )?"
_ES_PERSON = (
    r"(?:humano|humana|persona|agente|operadora?|representante|asesora?|supervisora?|encargad[oa]|alguien|ser humano"
    r"|servicio al cliente|atencion al cliente|soporte)"
)
_ES_ARTICLE = r"(?:una? |el |la |su )?(?:verdadera? |verdadero )?"

_PATTERNS = (
    # English
    rf"\b(?:talk|talking|speak|speaking|chat) (?:to|with){_EN_GAP} {_EN_PERSON}\b",
    (
        rf"\b(?:connect|transfer|escalate|forward|redirect|hand|pass|put|patch|refer)(?: (?:me|us|this|it))?(?: (?:over|through|on))? "
        rf"(?:to|with){_EN_GAP} {_EN_PERSON}\b"
    ),
    (
        rf"\b(?:want|need|get me|give me|id like|would like|prefer|can i (?:have|get)|could i (?:have|get)|is there|let me have|bring me)"
        rf" (?:an? |the |some )?(?:{_EN_REAL}|human|agent|representative|operator|person){_EN_END}"
    ),
    (
        r"\b(?:dont|do not|not|stop|hate|sick of|tired of)(?: \w+){0,4} (?:talk|talking|speak|speaking|chat|chatting|deal|dealing) "
        r"(?:to|with) (?:an? |this |the |your )?(?:\w+ )?(?:bot|robot|machine|computer|ai|chatbot)\b"
    ),
    # German
    rf"\bmit {_DE_ARTICLE}(?:{_DE_REAL} )?{_DE_PERSON}(?: \w+){{0,3}} (?:sprechen|reden|verbinden|verbunden|chatten|telefonieren)\b",
    rf"\b(?:sprechen|reden|verbinden?|verbunden|chatten)(?: \w+){{0,3}} mit {_DE_ARTICLE}(?:{_DE_REAL} )?{_DE_PERSON}\b",
    rf"\b(?:verbinden?|verbinde|leiten?|leite|geben?|gib)(?: \w+){{0,3}} (?:mit|an|zu) {_DE_ARTICLE}(?:{_DE_REAL} )?{_DE_PERSON}\b",
    rf"\b(?:will|mochte|brauche|hatte gern|geben sie mir|gib mir|ich will) (?:einen|eine|ein|nen) (?:{_DE_REAL} {_DE_PERSON}|menschen|mitarbeiter(?:in)?)\b",
    # French
    rf"\b(?:parler|discuter|echanger|communiquer|contact|contacter|joindre) (?:a |avec |au )?{_FR_ARTICLE}{_FR_PERSON}\b",
    rf"\b(?:passez|transferez|mettez|connectez|transfere|passe) (?:moi )(?:\w+ ){{0,3}}{_FR_PERSON}\b",
    r"\b(?:veux|voudrais|besoin d|besoin dun|besoin dune) ?(?:une? )?(?:vraie personne|etre humain|humain|conseiller|conseillere)\b",
    # Spanish
    rf"\b(?:hablar|comunicar|comunicarme|contactar|charlar|conversar|chatear) con {_ES_ARTICLE}{_ES_PERSON}\b",
    rf"\b(?:paseme|pasame|comuniqueme|comunicame|transfierame|transfiereme|conecteme|conectame|pongame|ponme)(?: \w+)? con {_ES_ARTICLE}{_ES_PERSON}\b",
    r"\b(?:quiero|necesito|prefiero|quisiera) (?:que me atienda )?(?:una? )(?:humano|persona real|agente humano|persona de verdad|ser humano|persona|agente)(?= real| por| ya| ahora|$)",
)

# A message that consists of such words alone ("human please", "agent!!", "real person now") asks for one, too.
_LONE = frozenset(
    [
        "human",
        "agent",
        "representative",
        "operator",
        "person",
        "people",
        "supervisor",
        "manager",
        "mensch",
        "mitarbeiter",
        "mitarbeiterin",
        "berater",
        "humain",
        "conseiller",
        "conseillere",
        "agente",
        "operateur",
        "humano",
        "persona",
        "operador",
        "operadora",
        "asesor",
        "representante",
        "encargado",
    ]
)
_BESIDE = frozenset(
    [
        "please",
        "pls",
        "now",
        "real",
        "live",
        "actual",
        "a",
        "an",
        "the",
        "customer",
        "service",
        "support",
        "echter",
        "echten",
        "bitte",
        "jetzt",
        "ein",
        "einen",
        "vrai",
        "vraie",
        "un",
        "une",
        "svp",
        "maintenant",
        "real",
        "por",
        "favor",
        "ahora",
        "una",
        "i",
        "want",
        "need",
        "ich",
        "will",
        "je",
        "veux",
        "quiero",
        "not",
        "bot",
    ]
)
_MAX_LONE_WORDS = 5


class HumanWords:
    """Tells messages that ask for a person.

    Args:
        own: More words or phrases, in any spelling, each of which is such a request wherever it stands.

    Examples:
        >>> asks = HumanWords(own=("Hotline",)).asks
        >>> asks("Can I talk to a real person?"), asks("My travel agent cancelled."), asks("whats your HOTLINE number")
        (True, False, True)
    """

    def __init__(self, own: Iterable[str] = ()) -> None:
        phrases = [" ".join(words(phrase)) for phrase in own]
        patterns = [*_PATTERNS, *(rf"\b{re.escape(phrase)}\b" for phrase in phrases if phrase)]
        self._pattern = re.compile("|".join(f"(?:{pattern})" for pattern in patterns))

    def asks(self, text: str) -> bool:
        """Whether this message asks for a person."""
        found = words(text)
        if not found:
            return False
        if (
            len(found) <= _MAX_LONE_WORDS
            and not _LONE.isdisjoint(found)
            and all(word in _LONE or word in _BESIDE for word in found)
        ):
            return True
        return self._pattern.search(" ".join(found)) is not None
