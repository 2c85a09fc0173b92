"""Signs of a part to play that knows no limits, as the prompts of jailbreaks describe it.

Most of them are words that stories and questions have too: it takes several of them.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from extproc.filters.builtin.injection.signs import sign

_LIMITS: Final = "restriction/guideline/limit/filter/rules/polic/constraint/boundar/censor"

_part: Final = partial(sign, "persona")

PERSONAS: Final = (
    _part(1, "do anything now", r"\bdo anything now\b"),
    _part(1, "confines of ai", r"\bconfines of ai\b"),
    _part(
        1,
        "dan mode/jailbr/developer mode/unrestricted/unfiltered/uncensored/evil/limits"
        " + you/act/behave/respond/answer/pretend/simulat/enter/now in",
        r"\b(?:you are|you.re|you will|act|acting|behave|respond|answer|pretend|simulate|enter"
        r"|entering|now in)~3 (?:dan mode|jail.?br(?:eak|oken)\w{0,2}|developer mode"
        r"|(?:unrestricted|unfiltered|uncensored|evil|no.limits?) (?:ai|mode|assistant|gpt"
        r"|chatbot"
        r"|model))\b",
    ),
    _part(
        1,
        "openai + polic/guideline/rules/restriction/limit/terms/filter",
        r"\b(?:no|not|without|ignor\w{1,3}|bypass\w{0,3}|disregard\w{0,3}|isn.?t|aren.?t|don.?t"
        r"|doesn.?t|free|opposite|regardless|longer|especially)~6"
        r" openai(?:.s)?~3 (?:polic\w{1,3}"
        r"|guidelines?|rules|restrictions|limitations|terms|filters?)\b|\b(?:ignor|bypass"
        r"|disregard)\w{0,3}~5 (?:polic\w{1,3}|guidelines?|rules)~4 openai\b",
    ),
    _part(
        1,
        f"{_LIMITS} + ethic/moral/content/safety/ai /censor + you/ai/assistant/bot/gpt/model",
        r"\b(?:you|ai|assistant|chatbot|bot|gpt|model)~4 (?:no|without|not bound by|bound by no"
        r"|unbound by|free(?:d)? (?:from|of)(?: (?:any|all))?|(?:no|without) any) (?:ethical"
        r"|moral"
        r"|content|safety|ai|ethics|censorship)~2 (?:restrictions?|guidelines?|limits?|filters?"
        r"|limitations?|rules|polic(?:y|ies)|constraints?|boundaries)\b",
    ),
    _part(
        1,
        f"{_LIMITS} + you /pretend",
        r"\b(?:you (?:now )?have|you are (?:now )?(?:an?|in)|pretend~5|respond as if you"
        r" have)~5"
        r" (?:no|without|zero) (?:content )?(?:restrictions?|limits?|limitations?|rules"
        r"|filters?"
        r"|polic(?:y|ies))\b",
    ),
    _part(
        0.5,
        f"{_LIMITS} + no/free",
        r"\b(?:no|without|free (?:from|of))~1 (?:restrictions|limit(?:s|ations)|rules|filters?"
        r"|censorship|boundaries)\b",
    ),
    _part(
        0.5,
        "amoral/unfilter/uncensor/jailbr",
        r"\b(?:amoral|unfiltered|uncensored|jail.?br(?:eak|oken)\w{0,2})\b",
    ),
    _part(
        0.5,
        "dan",
        r"\b(?:\w{0,8}dan (?:mode|can|is|will|has|does|should|would)|as dan)\b",
    ),
    _part(
        0.5,
        "refus/declin/reject",
        r"\b(?:never|not|cannot|can.?t|won.?t|without)~2 (?:refus\w{1,4}|declin\w{1,3}"
        r"|reject\w{0,3})\b",
    ),
    _part(
        0.5,
        "unethical/immoral/illegal/ethical/inhumane",
        r"\b(?:un|im|il)?(?:ethical|legal|moral)(?:ity|ly|s)?\W{1,5}(?:(?:and|or)\W{1,3})?"
        r"(?:un|im|il)?(?:ethical|legal|moral|inhumane|dangerous)(?:ity|s)?\b",
    ),
    _part(
        0.5,
        "ethic/moral/legality",
        r"\b(?:no|not|without|never|regardless|free|disregards?|doesn.?t|don.?t)~4 (?:ethics?"
        r"|ethical|morals?|morality|ethicality|legality)\b",
    ),
    _part(
        0.5,
        "disclaim/disclam/apolog/sorry + no/never/without/avoid/don",
        r"\b(?:no|not|never|without|avoid|don.?t)~4 (?:disclaimers?|disclamers?|apolog\w{1,4}"
        r"|i.?m sorry)\b",
    ),
    _part(
        0.25,
        "warnings + no/never/without/avoid/don",
        r"\b(?:no|not|never|without|avoid|don.?t)~4 warnings\b",
    ),
    _part(0.5, "as an ai", r"\b(?:never|not|don.?t|avoid|without|any)~6 as an ai\b"),
    _part(
        0.5,
        f"{_LIMITS}/laws + have to/need to/required to/bound/subject/obligated/follow/abide"
        f"/adhere"
        "/comply",
        r"\b(?:not|no longer|don.?t|doesn.?t|never) (?:have to|need to|required to|bound (?:by"
        r"|to)"
        r"|subject to|obligated to|follow|abide|adhere|comply)~3 (?:rules?|guidelines?"
        r"|polic\w{1,3}|restrictions?|limitations?|laws?)\b",
    ),
    _part(0.25, "chatgpt/openai", r"\b(?:chatgpt|openai)\b"),
    _part(
        0.25,
        "in character/into character/break character/breaks character/breaking character",
        r"\b(?:stay|stays|remain|break|breaks|breaking) (?:(?:in|into) )?character\b",
    ),
    _part(
        0.25,
        "from now/henceforth/you are going to/you will now/immerse",
        r"\b(?:from now(?: on)?|henceforth|you are going to|you will now|immerse yourself)\b",
    ),
    _part(
        0.25,
        "pretend/role/simulate/persona/hypothetical",
        r"\b(?:pretend|role.?play|simulate|persona|hypothetical)\w{0,4}\b",
    ),
    _part(
        0.25,
        "response/ ways/answers + two / 2 /both /normal",
        r"\b(?:two|2|both|normal)~2 (?:responses?|ways|answers)\b",
    ),
)
