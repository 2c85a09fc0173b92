"""What is said in languages but English to override instructions, reveal them or drop limits.

Words are as `text.normalize` leaves them: lower case, no accents (`й` is `и`, `ß` is `ss`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Final

from extproc.filters.builtin.injection.signs import Sign, sign

_override: Final = partial(sign, "override", 1)
_reveal: Final = partial(sign, "reveal", 1)
_part: Final = partial(sign, "persona", 1)


@dataclass(frozen=True, slots=True)
class _Override:
    """`ignore`, `previous` and `instructions`, the last two in either order."""

    hints: str
    verbs: str
    marks: str
    things: str

    def signs(self) -> tuple[Sign, Sign]:
        """Return a sign for each order."""
        before = rf"\b(?:{self.verbs})~4 (?:{self.marks})~2 (?:{self.things})"
        behind = rf"\b(?:{self.verbs})~3 (?:{self.things})~1 (?:{self.marks})"
        return _override(self.hints, before), _override(self.hints, behind)


_OVERRIDES: Final = (
    _Override(  # de
        "ignorier/vergiss/vergess/missacht/verwirf/ubergeh"
        " + anweisung/instruktion/befehl/vorgaben/richtlinien/anordnung/prompt",
        r"ignorier\w{0,3}|vergiss|vergess\w{1,2}|missacht\w{1,3}|verwirf|ubergeh\w{0,2}",
        r"all\w{1,2}|vorherig\w{1,2}|vorig\w{1,2}|bisherig\w{1,2}|obig\w{1,2}|fruher\w{1,2}"
        r"|vorangegangen\w{1,2}|vorhergehend\w{1,2}|ursprunglich\w{1,2}|dein\w{0,2}|deiner"
        r"|ihr\w{1,2}|samtlich\w{1,2}|zuvor|davor|oben",
        r"(?:system)?(?:anweisung\w{0,2}|instruktion\w{0,2}|befehl\w{0,2}|vorgaben|richtlinien"
        r"|anordnung\w{0,2}|prompts?)\b",
    ),
    _Override(  # es
        "ignor/olvid/descart/desatien/caso + instruc/ordenes/indicaciones/direct/prompt",
        r"ignor(?:a|e|es|en|ar|ad)|olvid(?:a|e|es|ar|ate|ese)|descart(?:a|e|ar)|desatiende"
        r"|haz caso omiso|no hagas caso",
        r"anterior(?:es)?|previ[ao]s?|tod[ao]s (?:las|los|tus|sus)|tus|precedentes?|de arriba"
        r"|inicial(?:es)?|original(?:es)?|que (?:te|se) \w{2,5}",
        r"instrucci?on(?:es)?|ordenes|indicaciones|directrices|directivas|prompts?",
    ),
    _Override(  # fr
        "ignor/oubli/compte/neglig/abstraction + instruction/consigne/directive/ordres/prompt",
        r"ignor(?:e|es|ez|er)|oubli(?:e|es|ez|er)|neglig(?:e|ez|er)|ne (?:tiens|tenez) (?:pas|plus)"
        r" compte|fai(?:s|tes) abstraction",
        r"precedente?s?|anterieure?s?|toutes?|tous|tes|vos|ci dessus|initiales?|initiaux"
        r"|d.?origine|prealables?|recues?",
        r"instructions?|consignes?|directives?|ordres|prompts?",
    ),
    _Override(  # it
        "ignor/dimentic/trascur/conto/considerare + istruzion/ordini/direttiv/indicazioni/prompt",
        r"ignor(?:a|i|ate|are|ino)|dimentic(?:a|hi|ate|are)|trascur(?:a|i|are)"
        r"|non tener(?:e)? conto|non considerare",
        r"precedent[ei]|tutt[ei] (?:le|i|gli|le tue)|tu[eo]i?|anterior[ei]|sopra|inizial[ei]"
        r"|original[ei]|ricevut[ei]",
        r"istruzion[ei]|ordini|direttiv[ae]|indicazioni|prompt",
    ),
    _Override(  # pt
        "ignor/esquec/desconsider/descart/desrespeit"
        " + instruc/ordens/diretrizes/orientacoes/comandos/prompt",
        r"ignor(?:e|a|em|ar)|esquec(?:a|e|am|er)|desconsider(?:e|a|ar)|descart(?:e|a|ar)"
        r"|desrespeit(?:e|a|ar)",
        r"anterior(?:es)?|previ[ao]s|tod[ao]s (?:as|os|suas)|suas|tuas|acima|inicia(?:l|is)"
        r"|origina(?:l|is)|que (?:voce|te|recebeu) ?\w{0,8}",
        r"instruc(?:ao|oes)|ordens|diretrizes|orientacoes|comandos|prompts?",
    ),
    _Override(  # nl
        "negeer/vergeet/negeren/sla + instructie/opdracht/aanwijzing/richtlijn/prompt",
        r"negeer|vergeet|negeren|sla",
        r"alle|vorige|eerdere|bovenstaande|voorgaande|je|jouw|uw|oorspronkelijke|hierboven",
        r"(?:systeem)?(?:instructies?|opdrachten|aanwijzingen|richtlijnen|prompts?)\b",
    ),
    _Override(  # ru
        "игнорир/забуд/отбрось/пренебрег/обраща"
        " + инструкци/указани/команд/директив/распоряжени/промпт",
        r"(?:про)?игнорир\w{1,5}|забуд\w{1,4}|отбрось\w{0,2}|пренебреги\w{0,2}"
        r"|не обраща\w{1,4} внимания на",
        r"все\w{0,2}|предыдущ\w{2,3}|прежни\w{1,2}|предшествующ\w{2,3}|прошлы\w{1,2}"
        r"|вышеуказанн\w{2,3}|свои|твои|ваши|выше|ранее",
        r"(?:системн\w{2,3} )?(?:инструкци\w{1,3}|указани\w{1,2}|команд\w{0,3}|директив\w{0,2}"
        r"|распоряжени\w{1,2}|промпт\w{0,2})\b",
    ),
)

_CHINESE: Final = (
    r"(?:忽略|无视|無視|忘记|忘記|忘掉|忽视|忽視|不要理会|不要遵守).{0,8}"
    r"(?:之前|以前|上面|以上|前面|先前|所有|一切|全部|你的|此前|系统|系統|原来|原有).{0,8}"
    r"(?:指令|指示|提示|命令|规则|規則|设定|設定|限制)"
)

OVERRIDES: Final = (
    *(each for language in _OVERRIDES for each in language.signs()),
    _override("忽略/无视/無視/忘记/忘記/忘掉/忽视/忽視/不要", _CHINESE),
)

REVEALS: Final = (
    _reveal(
        "prompt/anweisung/instruktion",
        r"\b(?:zeig\w{0,2}|gib|nenn\w{0,2}|verrat\w{0,2}|offenbar\w{0,2}|wiederhol\w{0,2}"
        r"|druck\w{0,2}"
        r"|geben sie|schreib\w{0,2}|lauten?|sind|ist)~2 (?:dein\w{0,2}|ihr\w{0,2}|eure\w?|den|die"
        r"|das)"
        r"~1 (?:system.?(?:prompt|anweisung|instruktion|nachricht)|(?:ursprungliche|geheime|interne"
        r"|versteckte)\w? (?:anweisung|instruktion|prompt|vorgabe))",
    ),
    _reveal(
        "prompt/instruccion/instruc/istruzion/instructions/consignes",
        r"\b(?:muestra\w{0,5}|revel\w{1,6}|dime|dame|repite|imprime|mostra\w{0,3}|mostre|diga"
        r"|repita"
        r"|ripeti|stampa|dimmi|rivel\w{1,4}|affich\w{1,3}|montr\w{1,3}|repet\w{1,3}|donn\w{1,3}"
        r"|divulgu\w{1,3}|quell?es? sont|cuales son|quais sao|quali sono)~3 (?:tus?|sus?|las?|el|o"
        r"|as"
        r"|seu|suas?|teu|il|le|i|tuo|tue|tes|ton|vos|votre|les)~1 (?:(?:instruc\w{3,6}|istruzioni"
        r"|instructions|consignes)(?: (?:de|del|do|di|du))? (?:sistema|systeme|inicia\w{1,3}"
        r"|inizial\w"
        r"|initiales|origina\w{1,3}|intern\w{1,2}|secret\w{1,2}|segret\w|ocult\w{1,2}|cachees)"
        r"|(?:system prompt|prompt (?:(?:de|del|do|di|du) )?(?:sistema|systeme|inicial|iniziale"
        r"|initial)))",
    ),
    _reveal(
        "prompt/instructies",
        r"\b(?:toon|geef|laat|onthul|herhaal|vertel|wat (?:is|zijn))~3 (?:je|jouw|uw|de|het)"
        r"~1 (?:systeem.?(?:prompt|instructies)|(?:oorspronkelijke|geheime|interne|verborgen)"
        r" (?:instructies|prompt))",
    ),
    _reveal(
        "промпт/инструкци",
        r"\b(?:покажи\w{0,2}|раскро\w{1,3}|выведи\w{0,2}|повтори\w{0,2}|назови\w{0,2}|напиши\w{0,2}"
        r"|скажи\w{0,2}|каков\w)~3 (?:системн\w{1,3}|исходн\w{1,3}|начальн\w{1,3}|скрыт\w{1,3}"
        r"|секретн\w{1,3}) (?:промпт|инструкци)",
    ),
    _reveal(
        "提示/指令",
        r"(?:显示|顯示|告诉我|告訴我|透露|泄露|输出|輸出|重复|重複|打印|公开|展示)(?:.{0,4}你的?.{0,4}|.{0,2})"
        r"(?:系统|系統|初始|原始|隐藏|内部)(?:提示|指令|设定)",
    ),
)

PERSONAS: Final = (
    _part(
        "ohne/sin /sans/senza/sem /zonder/без",
        r"\b(?:du bist|sie sind|ab (?:jetzt|sofort)|ahora eres|eres ahora|desde ahora"
        r"|(?:tu es|vous etes)|(?:ora )?sei(?: ora)?|d.?ora in poi|agora (?:voce|tu)|voce (?:e"
        r"|agora)"
        r"|je bent|vanaf nu|ты|теперь)~6 (?:ohne|sin|sans|senza|sem|zonder|без)~2"
        r" (?:einschrankung|beschrankung|regeln|filter|restric|limites|limitac|filtros?|reglas"
        r"|regles"
        r"|limites|filtre|restrizion|limit|regole|filtri|restric|regras|beperking|regels|ограничени"
        r"|правил|фильтр)",
    ),
    _part(
        "没有/不受/沒有/无任何",
        r"(?:你现在是|你現在是|从现在起|從現在起|扮演).{0,16}(?:没有|沒有|不受|无任何).{0,6}(?:限制|约束|規則|规则|道德)",
    ),
)
