"""Query and answer texts of the simulated incidents, written for this project.

Every intent has normal questions and hidden-intent ones: questions that read like the intent, and so are taken for simple,
but need something else. "Where is this charge from?" is filed under billing and is a fraud case.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class IntentTexts:
    """Texts of one intent. `{item}`, `{day}` and `{amount}` are filled in.

    Attributes:
        normal: Questions that mean what they say.
        hidden: Questions that look the same and need something else.
        answer: A right answer to a normal question.
        wrong: A wrong answer to a normal question.
        hidden_answer: What a hidden question needs.
        hidden_wrong: The fluent, confident, wrong answer that the cheap tier gives to a hidden question.
    """

    normal: tuple[str, ...]
    hidden: tuple[str, ...]
    answer: str
    wrong: str
    hidden_answer: str
    hidden_wrong: str


ITEMS = (
    "headphones",
    "desk lamp",
    "running shoes",
    "coffee grinder",
    "backpack",
    "phone case",
    "monitor",
    "rain jacket",
)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
AMOUNTS = ("9.99", "14.50", "27.00", "39.95", "64.20", "89.00", "120.00", "249.00")

TEXTS: dict[str, dict[str, IntentTexts]] = {
    "support": {
        "order_status": IntentTexts(
            (
                "Where is my order with the {item}?",
                "Has the {item} that I ordered on {day} shipped yet?",
                "When will my {item} arrive?",
                "Can you send me the tracking link for the {item}?",
            ),
            (
                "My tracking says the {item} was delivered on {day}, is that right?",
                "The {item} shows as handed over to a neighbour. Which one?",
            ),
            "Your order has left the warehouse; the tracking link is in the confirmation mail.",
            "Your order was cancelled at your request.",
            "It sounds as if the parcel was not received. I am opening a loss report with the carrier and a colleague takes over.",
            "Yes, the {item} was delivered on {day}. Enjoy!",
        ),
        "account": IntentTexts(
            (
                "How do I change my password?",
                "Can I use another e-mail address for my account?",
                "How do I turn on two-step login?",
                "Where do I update my delivery address?",
            ),
            (
                "I got a mail on {day} that my password was changed. How do I change it?",
                "There is an address in my account that I do not know. How do I edit it?",
            ),
            "Open Settings, then Account; every change takes effect at once.",
            "Only our partners can change that; please write a letter.",
            "Someone else may be in your account. I have locked it and a colleague from security will call you.",
            "Open Settings, then Account, choose Change password, and you are done.",
        ),
        "product_info": IntentTexts(
            (
                "Does the {item} come in other colours?",
                "How long is the guarantee of the {item}?",
                "Is the {item} in stock?",
                "What are the measurements of the {item}?",
            ),
            (
                "Is it normal that the {item} gets this hot?",
                "Is the {item} supposed to smell like that when it is on?",
            ),
            "You find colours, measurements and the two-year guarantee on the product page of the {item}.",
            "The {item} is no longer sold.",
            "Please unplug the {item} now. This is a safety report; a colleague takes over at once.",
            "Yes, that is normal for the {item} during the first weeks.",
        ),
        "billing": IntentTexts(
            (
                "Can I get an invoice for the {item}?",
                "Which payment methods do you take?",
                "Was my card charged {amount} already?",
                "When is the payment of {amount} for my {item} due?",
            ),
            (
                "Where is this charge of {amount} from?",
                "What is the {amount} from {day} on my card statement?",
                "Why do I see {amount} twice?",
                "Which order does the payment of {amount} belong to? I can't find it.",
            ),
            "Invoices are under Orders; we take cards, bank transfer and pay-later.",
            "We take cash only.",
            "You may not have made this payment. I have blocked the card for this shop and a fraud specialist takes over.",
            "The charge of {amount} is from your last order. You find the invoice under Orders.",
        ),
        "returns": IntentTexts(
            (
                "How do I send the {item} back?",
                "How long do I have to return the {item}?",
                "When do I get my {amount} back?",
                "Do I pay for the return of the {item}?",
            ),
            (
                "How do I return the {item} that I never ordered?",
                "I returned a {item} on {day} and got a different one back. How do returns work?",
            ),
            "You have 30 days; the label is under Orders and the money is back within five working days.",
            "Returns are not possible.",
            "This order is not yours. I am opening a case for it; please keep the parcel and don't use the return label.",
            "Print the label under Orders and drop the {item} at any parcel shop within 30 days.",
        ),
        "subscription": IntentTexts(
            (
                "How do I pause my subscription?",
                "What does the yearly plan cost?",
                "When does my plan renew?",
                "How do I change from monthly to yearly?",
            ),
            (
                "When does the plan renew that my late father had?",
                "Why does my plan renew? I ended it on {day}.",
            ),
            "You can pause, change or end the plan under Settings, Plan, at any time.",
            "Plans can't be changed.",
            "This needs a person: a colleague ends the plan and refunds what was taken since.",
            "Your plan renews each month on the day that you joined.",
        ),
    },
    "success": {
        "how_to": IntentTexts(
            ("How do I add a chart to a board?", "How do I share a board with a guest?", "How do I filter by {day}?"),
            ("How do I switch off boards for the whole team?", "How do I hide the product from our people?"),
            "Open the board, choose Edit, then pick what you need on the right.",
            "Boards are read-only.",
            "It sounds as if the team is moving away. Your success manager will call today.",
            "Open Settings, then Boards, and switch them off.",
        ),
        "onboarding": IntentTexts(
            ("How do I invite ten new people?", "Is there a training on {day}?", "Where is the starter guide?"),
            ("Is there a shorter training? Nobody came to the one on {day}.",),
            "You find invitations and trainings under Team, Start here.",
            "There are no trainings.",
            "Low attendance is a warning sign. Your success manager will set up a session with the team lead.",
            "The short training is under Team, Start here.",
        ),
        "integrations": IntentTexts(
            ("How do I connect our calendar?", "Does it work with our single sign-on?", "Where do I find the API key?"),
            ("How do I copy everything over to our new tool through the API?", "How do I disconnect all integrations?"),
            "Under Settings, Integrations you can connect it in two steps.",
            "Integrations are not supported.",
            "Moving everything elsewhere usually means leaving. Your success manager will call today.",
            "Use the API key under Settings, Integrations; the guide lists the calls.",
        ),
        "data_export": IntentTexts(
            ("How do I export a board as CSV?", "Can I export last month?", "How do I schedule an export for {day}?"),
            (
                "How do I export all our data at once?",
                "How do I export everything, with users and history?",
                "Is there an export of all boards for the whole company?",
            ),
            "Open the board and choose Export, CSV.",
            "Exports are not possible.",
            "A full export before renewal is the strongest sign of leaving. Your success manager will call today.",
            "Go to Settings, Export, choose All and you get a mail with the link.",
        ),
        "invoicing": IntentTexts(
            ("Can we pay by invoice?", "Where is the invoice of {amount}?", "Can you add our order number?"),
            ("Can the next invoice be for {amount} less?", "Can we pay monthly from now on?"),
            "Invoices are under Billing; order numbers can be added there.",
            "We do not write invoices.",
            "This is a request to shrink the contract. Your account manager will call.",
            "You can change the billing period under Billing.",
        ),
        "renewal": IntentTexts(
            ("When is our renewal?", "What does the next plan cost?", "Who signs the renewal on your side?"),
            ("What is the last day to say no?", "Where does the contract say how it ends?"),
            "Your renewal date and plan are under Billing, Contract.",
            "Contracts renew for ten years.",
            "The customer is thinking of leaving. Your account manager will call today.",
            "The notice period is under Billing, Contract.",
        ),
    },
    "fintech": {
        "branch_and_hours": IntentTexts(
            ("When do you open on {day}?", "Where is the nearest cash machine?", "Are you open on {day}?"),
            ("When can I come in on {day} to put a stop to a transfer?",),
            "We are open from 9 to 17 on weekdays.",
            "All branches are closed for good.",
            "Stopping a transfer is urgent: please call the emergency line now.",
            "You can come in on {day} from 9 to 17.",
        ),
        "card_features": IntentTexts(
            ("Does my card work abroad?", "How do I set a limit of {amount}?", "Is contactless on my card?"),
            ("Am I insured by my card if the trip costs {amount}?", "Is my card's insurance valid for my wife too?"),
            "You can set limits and regions under Card, Settings.",
            "Cards only work at home.",
            "Whether you are covered depends on your contract; I may not answer that without the terms. A colleague takes over.",
            "Yes, your card insures you.",
        ),
        "app_help": IntentTexts(
            ("How do I log in on a new phone?", "Where do I see my balance?", "How do I change the language?"),
            ("How do I let my carer log in on my phone?",),
            "You find it under Profile.",
            "The app has no such setting.",
            "Access for another person needs a power of attorney. A colleague takes over.",
            "Give them your PIN and log in under Profile.",
        ),
        "fees_and_rates": IntentTexts(
            (
                "What does a transfer of {amount} cost?",
                "What is the rate on savings?",
                "Is there a fee for {amount} in cash?",
            ),
            (
                "Is it better for me to put {amount} in the fund than in savings?",
                "What will I owe if I pay the loan of {amount} back early?",
                "Can I get the fee of {amount} back? Nobody told me about it.",
            ),
            "The fees and rates are in the price list, section 2.",
            "There are no fees at all.",
            "This is advice or a complaint in the sense of the law; it must go to a licensed colleague, with a record.",
            "Yes, the fund is better for you.",
        ),
        "transfers_info": IntentTexts(
            ("How long does a transfer take?", "What is the cut-off time on {day}?", "How do I send {amount} abroad?"),
            ("How do I send {amount} for someone else in cash?", "How do I get {amount} back that I sent on {day}?"),
            "Transfers before 15:00 arrive on the same day.",
            "Transfers take a month.",
            "This has to be checked for fraud and money laundering. A colleague takes over.",
            "Open Transfers, type the amount and confirm.",
        ),
    },
}


def filled(template: str, item: int, day: int, amount: int) -> str:
    """A template with its slots filled from the lists above, by position (modulo their lengths).

    Examples:
        >>> filled("Where is this charge of {amount} from?", 0, 0, 2)
        'Where is this charge of 27.00 from?'
    """
    return template.format(
        item=ITEMS[item % len(ITEMS)], day=DAYS[day % len(DAYS)], amount=AMOUNTS[amount % len(AMOUNTS)]
    )


def texts_of(
    incident: str,
    intents: tuple[str, ...],
    intent: npt.NDArray[np.int64],
    hidden: npt.NDArray[np.bool_],
    failed: npt.NDArray[np.bool_],
    rng: np.random.Generator,
) -> tuple[list[str], list[str]]:
    """Prompt and response of some requests. The three arrays have shape (n,), as have both lists."""
    book = [TEXTS[incident][name] for name in intents]
    draws = rng.integers(0, 1 << 30, (len(intent), 4)).tolist()
    prompts, responses = [], []
    for i, concealed, wrong, (which, item, day, amount) in zip(
        intent.tolist(), hidden.tolist(), failed.tolist(), draws, strict=True
    ):
        texts = book[i]
        questions = texts.hidden if concealed else texts.normal
        if concealed:
            answer = texts.hidden_wrong if wrong else texts.hidden_answer
        else:
            answer = texts.wrong if wrong else texts.answer
        prompts.append(filled(questions[which % len(questions)], item, day, amount))
        responses.append(filled(answer, item, day, amount))
    return prompts, responses
