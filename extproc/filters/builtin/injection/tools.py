"""Signs of what comes by way of tools: orders, traps for data, turns that nobody took."""

from __future__ import annotations

from typing import Final

from extproc.filters.builtin.injection.signs import sign

TOOL_ORDERS: Final = (
    sign(
        "tool_orders",
        1,
        "ignor/disregard/abandon/overrid + user",
        r"\b(?:ignore|disregard|abandon|override)~1 (?:the )?user(?:.s)?~1 (?:request|questions?"
        r"|instructions?|task|prompt|query|message)\b",
    ),
    sign(
        "tool_orders",
        1,
        "before you + following",
        r"\bbefore you (?:can )?(?:solve|complete|do|answer|continue)~2 (?:task|request|question)\b"
        r".{0,80}?\b(?:do|perform|complete) the following",
    ),
    sign(
        "tool_orders",
        0.5,
        " ai/llm/language model/assistant/ bot"
        " + if you are/note /attention/instructions /message /notice /reminder ",
        r"\b(?:if you are|(?:note|attention|instructions?|message|notice|reminder) (?:to|for))"
        r"(?: (?:the|an?|all|any))?~1 (?:ais?|llms?|language models?|assistants?|bots?)\b",
    ),
    sign(
        "tool_orders",
        0.5,
        "user + tell/inform/mention/alert/notify",
        r"\b(?:do not|don.?t|never|without)~1 (?:tell|inform|mention|alert|notify|telling|informing"
        r"|alerting)~3 user\b",
    ),
    sign(
        "tool_orders",
        0.5,
        "append/include/save + token/following string/memory",
        r"\b(?:append|include|save)~5 (?:token|following string|long term memory)\b",
    ),
    sign(
        "tool_orders",
        0.5,
        "_ + call/use/invoke + before/first/immediately",
        r"\b(?:call|use|invoke)~2 [a-z]{2,12}_[a-z_]{2,24}\b.{0,60}?\b(?:before (?:responding"
        r"|answering|continuing|you)|first|immediately)\b",
    ),
    sign(
        "tool_orders",
        0.5,
        "secret/credential/password/api key/environment variable/customer",
        r"\b(?:send|forward|e.?mail|post|upload|dump|reveal|leak|exfiltrate"
        r"|collect)~5 (?:credentials?"
        r"|passwords?|api keys?|secrets|customer (?:list|data|database|e.?mails)|environment"
        r" variables)\b",
    ),
    sign(
        "tool_orders",
        0.5,
        "@ + send/forward/mail",
        r"\b(?:send|forward|e.?mail)~9 to [\w.+-]{1,40}+@\w",
    ),
)

EXFILTRATION: Final = (
    sign(
        "exfiltrate",
        1,
        "](http",
        r"!?\[[^\]\n]{0,80}\]\(https?://[^)\s]{1,200}[?&/=](?:\{|\[|<|%7b|%5b|\$)[^)\n]{2,60}",
    ),
    sign(
        "exfiltrate",
        1,
        "url/link/image/query + conversation/chat history/secret/api key/password/prompt/credential"
        "/user/personal/private + append/include/add/insert/embed/replace",
        r"\b(?:append|include|add|insert|embed|replace)~6 (?:conversation"
        r"|chat history|secrets?|api keys?|passwords?|system prompt|credentials|user.s (?:data"
        r"|name|messages?)|(?:personal|private) (?:data|information))~6 (?:url|link|image|query"
        r" (?:string|parameter))\b",
    ),
)

ENCODED: Final = (
    sign(
        "encoded",
        1,
        "decod/decrypt/decipher + follow/obey/execut/carry out/do /comply/act on/perform",
        r"\b(?:decode|decrypt|decipher)~6(?: (?:base64|hex|rot13|binary|message|text|string|this|it"
        r"|them|field|following))~3 (?:and|then)~1 (?:follow|obey|execute|carry out"
        r"|do (?:exactly )?"
        r"(?:what|as)|comply|act on|perform)\b",
    ),
)

FAKE_TURNS: Final = (
    sign(
        "fake_turn",
        1,
        "|>/inst]/sys>>/_of_turn>",
        r"<\|(?:im_(?:start|end|sep)|system|user|assistant|start_header_id|end_header_id|eot_id"
        r"|endoftext|end|end_of_turn|start|message|channel)\|>|\["
        r"/inst\]|\[inst\][\x20\n]?(?:<<|\w)|<</?sys>>"
        r"|<(?:start|end)_of_turn>",
    ),
    sign(
        "fake_turn",
        0.5,
        "system/admin/developer",
        r"(?:^|[\n\])>#*-])[\x20\[<#*-]{0,8}(?:system|admin|developer)(?: (?:message|note|prompt"
        r"|override|notice|instruction|alert|mode))?[\]>*]{0,3}\x20?[:\]>]",
    ),
    sign(
        "fake_turn",
        0.5,
        "end of/end user/end document/end input/end prompt",
        r"(?:[#*=-]{2,12}|</|\[)\x20?end (?:of )?(?:the )?(?:user|document|input|prompt|context"
        r"|instructions)(?: (?:input|prompt|message|data|query))?\x20?(?:[#*=-]{2,12}|>|\])",
    ),
    sign(
        "fake_turn",
        0.5,
        "system/admin/developer + instruct/you are now/you must/ignore/grant/the user/from now",
        r"(?:^|[\n\])>#*-])[\x20\[<#*-]{0,8}(?:system|admin|developer)(?: (?:message|note|prompt"
        r"|override|notice|instruction|alert))?[\]>*:]{1,3}\W{1,4}(?:new instructions?|you (?:are"
        r" now"
        r"|must)|ignore|the user|grant|from now)\b",
    ),
)
