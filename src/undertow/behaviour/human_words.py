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


# Every pattern needs a word of each of these sets, so most messages need no pattern. The second set has the words that say
# who is wished for, and those that French writes together with the word before.
_WISH_WORDS = """
    talk talking speak speaking chat chatting connect transfer escalate forward redirect hand pass put patch refer want need get
    give id would prefer can could is let bring dont do not stop hate sick tired
    sprechen reden verbinden verbinde verbunden chatten telefonieren leiten leite geben gebe gib will mochte brauche hatte
    parler discuter echanger communiquer contact contacter joindre passez transferez mettez connectez transfere passe veux
    voudrais besoin veuxun veuxune veuxvraie veuxetre veuxhumain veuxconseiller veuxconseillere voudraisun voudraisune
    voudraisvraie voudraisetre voudraishumain voudraisconseiller voudraisconseillere
    hablar comunicar comunicarme contactar charlar conversar chatear paseme pasame comuniqueme comunicame transfierame
    transfiereme conecteme conectame pongame ponme quiero necesito prefiero quisiera
"""
_PERSON_WORDS = """
    human humans person persons people agent agents representative representatives rep reps operator operators advisor advisors
    adviser advisers supervisor supervisors manager managers employee employees somebody someone staff support team service care
    being bot robot machine computer ai chatbot
    mensch mensche menschen mitarbeiter mitarbeiterin mitarbeitern berater beraterin kollege kollegen kollegin sachbearbeiter
    sachbearbeiterin agente agenten jemand jemandem jemanden vorgesetzte vorgesetzten kundendienst kundenservice
    humain humaine personne conseiller conseillere operateur operatrice responsable superieur superieure quelquun client
    dhumain dunhumain dunehumain veuxhumain voudraishumain dconseiller dunconseiller duneconseiller veuxconseiller
    voudraisconseiller dconseillere dunconseillere duneconseillere veuxconseillere voudraisconseillere
    humano humana persona operador operadora representante asesor asesora supervisora encargado encargada alguien cliente
    soporte
"""
_WISH, _PERSON = frozenset(_WISH_WORDS.split()), frozenset(_PERSON_WORDS.split())


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
        phrases = [phrase for phrase in (words(each) for each in own) if phrase]
        self._own_starts = frozenset(phrase[0] for phrase in phrases)
        self._own = _any(rf"\b{re.escape(' '.join(phrase))}\b" for phrase in phrases) if phrases else None

    def asks(self, text: str) -> bool:
        """Whether this message asks for a person."""
        return self.in_words(words(text))

    def in_words(self, found: list[str]) -> bool:
        """`asks` of a text whose words (`undertow.behaviour.normalising.words`) are known already."""
        if self._own is not None and not self._own_starts.isdisjoint(found) and self._own.search(" ".join(found)):
            return True
        if _PERSON.isdisjoint(found):
            return False
        if (
            len(found) <= _MAX_LONE_WORDS
            and not _LONE.isdisjoint(found)
            and all(word in _LONE or word in _BESIDE for word in found)
        ):
            return True
        return not _WISH.isdisjoint(found) and _BUILT_IN.search(" ".join(found)) is not None


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


_BUILT_IN = _any(_PATTERNS)
