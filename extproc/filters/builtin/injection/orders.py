"""Signs of orders to the agent that come from where none should come, in English."""

from __future__ import annotations

from typing import Final

from extproc.filters.builtin.injection.signs import sign

_ORDERS: Final = (
    "instruct/prompt/direct/programming/orders/guideline/training/input/rules/guardrail"
)

OVERRIDES: Final = (
    sign(
        "override",
        1,
        f"ignor/disregard/forget/overrid/bypass/discard/neglect + {_ORDERS}",
        r"\b(?:ignor(?:e|es|ed|ing)|disregard\w{0,3}|forget\w{0,4}|overrid(?:e|es|ing)"
        r"|bypass\w{0,3}"
        r"|discard|neglect)~4 (?:previous(?:ly)?|prior|above|earlier|preceding|foregoing|existing"
        r"|initial|original|former|your|any and all|developer and system)~2 (?:instructions?"
        r"|prompts?"
        r"|directions|directives?|programming|orders|guidelines|training|inputs?|rules"
        r"|guardrails)\b",
    ),
    sign(
        "override",
        1,
        f"ignor/disregard/forget/overrid/bypass/discard/neglect + {_ORDERS}",
        r"\b(?:ignor(?:e|ing)|disregard|forget|override|bypass|discard)~3 (?:instructions?|prompts?"
        r"|directions|directives?|programming|orders|guidelines|rules)~1 (?:above|before(?! you)"
        r"|(?:given|you) (?:were|was|have been|got|had|received|before|to you))\b",
    ),
    sign(
        "override",
        1,
        "ignor/disregard/forget + everything/all/anything/whatever",
        r"\b(?:ignore|disregard|forget)~1 (?:everything|all|anything|whatever)~2 (?:above|previous"
        r"|(?:was|is|came|said|written) (?:above|before)|prior to|before (?:this|that|and|now)"
        r"|you (?:were|have been|.ve been) (?:told|taught|given|instructed)|you (?:have )?learned"
        r"|(?:instructions|guidelines|directives|prompts)\b(?! (?:in|of|for|on|from|file"
        r"|about)\b))",
    ),
    sign(
        "override",
        1,
        f"supersede/overrid/replace/precedence/overwrit + {_ORDERS}",
        r"\b(?:supersede|override|overwrite|replace|takes? (?:precedence|priority) over)s?~2"
        r" (?:all|any|previous|prior|earlier|your|existing|original)~2 (?:instructions|prompts"
        r"|directives|guidelines|programming|prior ones|previous ones)\b",
    ),
    sign(
        "override",
        1,
        "overrid/bypass/disabl/deactivat/turn off/switch off/remov/lift/skip"
        " + your/all safety/assistant",
        r"\b(?:override|bypass|disable|deactivate|turn off|switch off|remove|lift|skip)~2"
        r" (?:your|all safety|the assistant.?s)~2 (?:protocols?|filters?|restrictions?|guardrails?"
        r"|safeguards?|polic(?:y|ies)|checks)\b",
    ),
    sign(
        "override",
        0.5,
        "instruction/directive/task/goal/orders/purpose + new/real/true/actual/only/sole/updated",
        r"\b(?:(?:new|updated|real|true|actual)(?: (?:important|system|secret|urgent))?"
        r" (?:instructions?|directives?|orders)\W{0,4}[:*\n]|your (?:new|real|true|only|actual"
        r"|sole)~1"
        r" (?:task|goal|purpose|directive|instructions?|orders) (?:is|are|now|supersedes?)\b)",
    ),
    sign(
        "override",
        0.5,
        "disabled/lifted/removed/override",
        r"\b(?:(?:protocols|filters|checks|restrictions)~1 (?:disabled|lifted|removed)|(?:system"
        r"|admin"
        r"|safety) override)\b",
    ),
    sign(
        "override",
        0.5,
        "must comply/no questions asked/without limits",
        r"\b(?:must comply with (?:every|all|any)|no questions asked|without limits)\b",
    ),
)

REVEALS: Final = (
    sign(
        "reveal",
        1,
        "your + prompt/instruction/message/directive/configuration",
        r"\b(?:reveal|show|print|repeat|output|display|tell|give|leak|dump|expose|disclose|share"
        r"|write"
        r"|recite|return|provide|paste|list|send|quote|copy|what (?:is|are|was|were))~3 your~2"
        r" (?:(?:system|initial|original|hidden|secret|internal|developer|pre|base|starting|exact"
        r"|previous|core)~1 (?:prompts?|instructions?|messages?|directives?|configuration)\b"
        r"|prompts?\b|instructions? (?:verbatim|word for word|above|exactly))",
    ),
    sign(
        "reveal",
        1,
        "reveal/leak/dump/expos/disclos/recit/divulg/extract/exfiltrat + system/initial/hidden"
        " + prompt/message/instruction",
        r"\b(?:reveal|leak|dump|expose|disclose|recite|divulge|extract|exfiltrate)~4 (?:system"
        r"|initial|hidden) (?:prompt|messages?|instructions?)\b",
    ),
    sign(
        "reveal",
        1,
        "verbatim/word for word/above/before this/your context/you were /you was /you have been",
        r"\b(?:(?:repeat|output|print|write|copy|reproduce|recite)~1 (?:everything|all|the (?:text"
        r"|words|content|message|instructions|prompt))~2 (?:above|before this|in your context)"
        r"|(?:repeat|print|output|share|paste|tell me|what (?:is|are|was|were))~2 (?:the|exact"
        r"|operating)~1 (?:instructions?|prompt)~1 you (?:were|was|have been) (?:given|told)"
        r"|(?:system prompt|system message|(?:initial|your) (?:instructions|prompt))~2"
        r" (?:verbatim|word for word))",
    ),
)
