from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from extproc.config.model.deploy import Deploy
from extproc.manifests.kubernetes.files import (
    check_text,
    configuration_volume,
    environment,
    prompt_file,
    tls_secret,
)
from extproc.manifests.source import Source, Unrenderable

Make = Callable[..., Source]


def asking(prompt: str) -> dict[str, Any]:
    model = {"url": "http://models.ai.svc/v1", "name": "m", "prompt_file": prompt}
    return {"orchestrator": {"model": model}}


@pytest.fixture
def make_prompt(tmp_path: Path) -> Callable[[str], str]:
    def make(name: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{routes} {conversation}")
        return name

    return make


def test_the_folder_of_the_configuration_is_a_config_map(make_source: Make) -> None:
    assert configuration_volume(make_source()) == {"configMap": {"name": "outerloop"}}


@pytest.mark.parametrize(
    ("written", "path"),
    [("prompt.txt", "prompt.txt"), ("./a/b_c/p-1.md", "a/b_c/p-1.md"), (".hidden", ".hidden")],
)
def test_a_prompt_is_mounted_where_the_file_says_that_it_is(
    make_source: Make, make_prompt: Callable[[str], str], written: str, path: str
) -> None:
    source = make_source(**asking(make_prompt(written)), deploy={"name": "r"})
    assert prompt_file(source) == path
    item = {"key": Path(path).name, "path": path}
    assert configuration_volume(source) == {
        "projected": {
            "sources": [
                {"configMap": {"name": "r"}},
                {"configMap": {"name": "r-files", "items": [item]}},
            ]
        }
    }


@pytest.mark.parametrize("where", ["{folder}/p.txt", "a/../p.txt", "..p", "a b.txt"])
def test_a_prompt_that_a_pod_cannot_have_there(
    make_source: Make, make_prompt: Callable[[str], str], tmp_path: Path, where: str
) -> None:
    make_prompt("a/x")
    written = where.format(folder=tmp_path)
    make_prompt(written)
    with pytest.raises(Unrenderable, match=r"^orchestrator\.model\.prompt_file: "):
        configuration_volume(make_source(**asking(written)))


def test_a_prompt_s_path_from_a_variable_is_not_told(make_source: Make, tmp_path: Path) -> None:
    (tmp_path / "s3cret.txt").write_text("{routes} {conversation}")
    source = make_source(**asking("$PROMPT"), environ={"PROMPT": "s3cret.txt"})
    with pytest.raises(Unrenderable, match="prompt_file") as refused:
        configuration_volume(source)
    assert "s3cret" not in str(refused.value)


def test_variables_come_from_a_secret(make_source: Make) -> None:
    source = make_source(
        {"id": "a", "url": "http://a.b.svc", "access_key": "$KEY", "headers": {"x-team": "${TEAM}"}}
    )
    reference = {"name": "outerloop-env", "key": "KEY"}
    assert [each["name"] for each in environment(source)] == ["KEY", "TEAM"]
    assert environment(source)[0] == {"name": "KEY", "valueFrom": {"secretKeyRef": reference}}


@pytest.mark.parametrize(
    ("tls", "secret"), [(None, None), ({"san": "outerloop", "secret": "pair"}, "pair")]
)
def test_where_the_certificate_is(tls: dict[str, Any] | None, secret: str | None) -> None:
    assert tls_secret(Deploy.model_validate({"processor": {"tls": tls}})) == secret


def test_tls_without_a_certificate() -> None:
    deploy = Deploy.model_validate({"processor": {"tls": {"san": "outerloop"}}})
    with pytest.raises(Unrenderable, match=r"^deploy\.processor\.tls\.secret: "):
        tls_secret(deploy)


def agent(**more: Any) -> dict[str, Any]:
    return {"id": "a", "url": "http://a.b.svc", **more}


@pytest.mark.parametrize(
    "fine",
    [
        agent(access_key="$KEY"),
        agent(access_key="prefix-${KEY}"),
        agent(headers={"authorization": "Bearer $KEY", "x-team": "support", "x-monkey": "1"}),
    ],
)
def test_what_a_config_map_may_hold(make_source: Make, fine: dict[str, Any]) -> None:
    check_text(make_source(fine))


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ({"access_key": "s3cret"}, "agents[0].access_key"),
        ({"access_key": "s3$$cret"}, "agents[0].access_key"),
        ({"headers": {"Authorization": "Bearer s3cret"}}, "agents[0].headers.Authorization"),
        ({"headers": {"x-api-key": "s3cret"}}, "agents[0].headers.x-api-key"),
        ({"headers": {"apikey": "s3cret"}}, "agents[0].headers.apikey"),
        (
            {"enabled": False, "headers": {"x-auth-tokens": "s3cret"}},
            "agents[0].headers.x-auth-tokens",
        ),
    ],
)
def test_a_secret_that_is_written_out(make_source: Make, written: dict[str, Any], key: str) -> None:
    other = {"id": "b", "url": "http://b.b.svc"}
    with pytest.raises(Unrenderable) as refused:
        check_text(make_source(agent(**written), other))
    assert str(refused.value).startswith(f"{key}: ")
    assert "s3" not in str(refused.value)


def test_secrets_of_servers_and_options(make_source: Make) -> None:
    server = {"url": "http://models.ai.svc/v1", "name": "m", "access_key": "s3cret"}
    text = make_source(orchestrator={"model": server}).text
    text += "filters: [{id: g, type: builtin, use: mine, options: {deep: [{password: s3cret}]}}]\n"
    with pytest.raises(Unrenderable) as refused:
        check_text(Source(make_source().config, text))
    assert str(refused.value).startswith(
        "orchestrator.model.access_key, filters[0].options.deep[0].password: "
    )


def test_a_file_that_no_config_map_can_hold(make_source: Make) -> None:
    source = make_source()
    check_text(Source(source.config, source.text + "#" * (2**20 - len(source.text))))
    with pytest.raises(Unrenderable, match="1 MiB"):
        check_text(Source(source.config, source.text + "#" * 2**20))
