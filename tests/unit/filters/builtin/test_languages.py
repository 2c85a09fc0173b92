from __future__ import annotations

import sys
import time

import pytest
from py3langid.langid import MODEL_FILE, LanguageIdentifier  # type: ignore[import-untyped] # as ours

from extproc.filters.builtin.languages import CODES, FEWEST_LETTERS, Languages
from extproc.orchestrator.embedded.background import load_background
from extproc.plugins import PluginError


@pytest.fixture(scope="module")
def english() -> Languages:
    return Languages(["en"])


@pytest.mark.parametrize(
    "text",
    [
        "Wie wird das Wetter morgen in Oslo?",
        "Je voudrais annuler ma commande de la semaine dernière",
        "¿Dónde está mi paquete? Lo pedí hace dos semanas",
        "Boek een vlucht naar New York voor twee personen",
        "Какая завтра погода?",
        "Скасуй моє замовлення",
        "明天天气怎么样",
        "注文をキャンセルしてください",
        "비밀번호를 잊어버렸어요",
        "كيف سيكون الطقس غدا؟",
        "मुझे पैसे वापस चाहिए",
        "WIE WIRD DAS WETTER MORGEN IN OSLO?",
    ],
)
def test_other_languages_are_excluded(text: str, english: Languages) -> None:
    assert english.exclude(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\x1c\n",
        "hi",
        "What is the weather in Oslo?",
        "WHAT IS THE WEATHER IN OSLO?",
        "hotel Villa Borghese Roma",
        "Show me pasta carbonara recipe",
        "pasta alla puttanesca recipe",
        "flight Düsseldorf to Zürich",
        "What does Schadenfreude mean",
        "Nuits-Saint-Georges Premier Cru price",
        "restaurants near Alexanderplatz",
        "kubectl get pods -n kube-system",
        "SELECT name FROM customers WHERE id=5",
        "IBAN DE89370400440532013000",
        "https://www.wetter.de/das-wetter-morgen-in-der-stadt summary please",
        "\ud800\ud800 what is the weather",
        "x" * 50,
    ],
)
def test_nothing_is_excluded_on_a_guess(text: str, english: Languages) -> None:
    assert not english.exclude(text)


def test_no_idle_sentence_is_excluded(english: Languages) -> None:
    sentences = [each for section in load_background().values() for each in section]
    assert [each for each in sentences if english.exclude(each)] == []


def test_relatives_of_an_allowed_language_are_not_sure_to_be_others() -> None:
    text = "Zaboravio sam lozinku za svoj korisnički račun"
    assert not Languages(["sr"]).exclude(text)
    assert Languages(["pl"]).exclude(text)


def test_any_of_several_languages_will_do() -> None:
    several = Languages(["en", "de"])
    assert not several.exclude("Wie wird das Wetter morgen in Oslo?")
    assert several.exclude("Quel temps fait-il demain à Oslo ?")


def test_short_texts_are_not_judged(english: Languages) -> None:
    word = "погода"
    assert len(word.encode()) < FEWEST_LETTERS
    assert not english.exclude(word)
    assert english.exclude(f"{word} {word}")


def test_what_a_question_is_about_may_be_in_another_language(english: Languages) -> None:
    quoted = "Sehr geehrte Damen und Herren, wir kündigen hiermit unseren Vertrag. " * 5
    assert english.exclude(quoted)
    assert english.exclude(f"{quoted}\n\n{quoted}")
    assert not english.exclude(f"Please summarise this letter for me:\n\n{quoted}")
    assert not english.exclude(f"{quoted}\n\nWhat does this letter say?")


@pytest.mark.parametrize("text", ["x" * 100_000, "/" * 100_000, "天" * 100_000, "\n" * 100_000])
def test_long_texts_take_no_time(text: str, english: Languages) -> None:
    started = time.process_time()
    english.exclude(text)
    assert time.process_time() - started < 1


def test_the_codes_are_those_the_library_knows() -> None:
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    assert {label for label in identifier.labels if len(label) == 2} == CODES


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    with pytest.raises(PluginError) as raised:
        Languages(["en"])
    assert str(raised.value) == (
        "filter limits: `languages` needs: pip install 'outerloop-extproc[languages]'"
    )
