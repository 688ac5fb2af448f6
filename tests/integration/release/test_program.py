# SPDX-License-Identifier: Apache-2.0
"""The program as processes: locks, kills, memory, progress, exit codes and what people read."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator_stub.release import commands
from orchestrator_stub.release.answers import answer_text
from orchestrator_stub.release.lock import publisher_lock
from orchestrator_stub.release.main import main
from orchestrator_stub.release.report import render_report
from orchestrator_stub.release.roles import Role, plan_roles
from tests.integration.release.conftest import Site

MIB = 1 << 20
PATIENCE_S = 60
NOBODY = 65534
PROGRAM = [sys.executable, "-m", "orchestrator_stub.release"]
RELEASE = ["--profile", "edge", "--version", "1", "--level", "1"]


def program(site: Site, command: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, command, "--repo", site.repo, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def wait_for(folder: Path, pattern: str, process: subprocess.Popen[bytes]) -> Path:
    """Wait until a file that another process makes is there and holds something."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        assert process.poll() is None, "the program has ended already"
        for path in folder.glob(pattern):
            if path.stat().st_size > 0:
                return path
        time.sleep(0.01)
    pytest.fail(f"{pattern} never came")


# locks


def test_publish_while_another_publishes_is_refused_and_changes_nothing(site: Site) -> None:
    site.add("1")
    with publisher_lock(site.layout.lock):
        done = program(site, "publish", "--keys", site.keys)
        assert done.returncode == os.EX_TEMPFAIL
        assert "another publisher" in done.stderr
    assert site.run("status")["releases"] == []
    assert program(site, "publish", "--keys", site.keys).returncode == 0


@pytest.mark.parametrize(
    "words",
    [
        ["withdraw", "1", "--reason", "x"],
        ["rotate", "timestamp"],
        ["export", "stick"],
        ["publish"],
        ["init"],
    ],
)
def test_every_command_that_signs_is_refused_while_another_publishes(
    site: Site, words: list[str]
) -> None:
    with publisher_lock(site.layout.lock):
        assert site.run(*words, expect=os.EX_TEMPFAIL)["error"]["code"] == "busy"


def test_add_compresses_without_the_lock_and_stages_with_it(site: Site) -> None:
    image = site.image(size=3 * MIB)
    with publisher_lock(site.layout.lock):
        error = site.run("add", image, *RELEASE, expect=os.EX_TEMPFAIL)["error"]
        assert error["code"] == "busy"
    assert list((site.repo / "unpublished/releases").iterdir()) == []


def test_lock_of_a_killed_publisher_is_free(site: Site) -> None:
    script = (
        "import sys, time; from pathlib import Path;"
        "from orchestrator_stub.release.lock import publisher_lock\n"
        "with publisher_lock(Path(sys.argv[1])):\n    print('held', flush=True); time.sleep(600)"
    )
    words = [sys.executable, "-c", script, str(site.layout.lock)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert program(site, "publish", "--keys", site.keys).returncode == os.EX_TEMPFAIL
        holder.kill()
        holder.wait()
    assert program(site, "publish", "--keys", site.keys).returncode == 0


# kills


@contextmanager
def add_at_work(site: Site) -> Iterator[subprocess.Popen[bytes]]:
    """An `add` that is halted while it compresses: so much that it cannot have ended before."""
    image = site.folder / "noise.img"
    image.write_bytes(os.urandom(32 * MIB))
    words = ["--profile", "edge", "--version", "9", "--level", "19", "--threads", "1"]
    # a shell that has put the tests into the background has them ignore Ctrl-C
    command: list[str | Path] = ["env", "--default-signal=INT", *PROGRAM]
    command += ["add", image, "--repo", site.repo, *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            wait_for(site.repo / "unpublished/releases", ".adding-*/*.raw.zst", process)
            process.send_signal(signal.SIGSTOP)
            yield process
        finally:
            process.kill()


def test_add_killed_leaves_nothing_staged_and_publish_sweeps_its_folder(site: Site) -> None:
    staged = site.repo / "unpublished/releases"
    with add_at_work(site) as process:
        process.kill()
        process.wait()
    assert list(staged.glob(".adding-*"))
    assert site.run("status")["staged"] == []
    site.run("publish")
    assert not list(staged.glob(".adding-*"))


def test_publish_while_an_add_is_at_work_leaves_it_alone(site: Site) -> None:
    with add_at_work(site) as process:
        site.run("publish", "--refresh")
        process.send_signal(signal.SIGCONT)
        assert process.wait() == 0
    assert [one["version"] for one in site.run("status")["staged"]] == ["9"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_add_interrupted_cleans_up_after_itself(site: Site, number: signal.Signals) -> None:
    with add_at_work(site) as process:
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        assert process.stderr is not None
        assert b"interrupted" in process.stderr.read()
        assert process.wait() == 130
    assert list((site.repo / "unpublished/releases").iterdir()) == []


def test_add_refuses_a_version_that_was_published_meanwhile(site: Site) -> None:
    with add_at_work(site) as process:
        site.release("9")
        process.send_signal(signal.SIGCONT)
        assert process.wait() == os.EX_DATAERR
    assert site.run("publish")["changed"] is False


# a disk that refuses


def test_add_that_the_disk_refuses_leaves_nothing_staged(site: Site) -> None:
    image = site.image(size=4 * MIB)
    words = ["prlimit", "--fsize=1000000", *PROGRAM, "add", str(image), "--repo", str(site.repo)]
    done = subprocess.run(
        [*words, *RELEASE], capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )
    assert done.returncode == os.EX_IOERR
    assert "the disk refused it" in done.stderr
    assert list((site.repo / "unpublished/releases").iterdir()) == []
    assert site.run("add", image, *RELEASE)["changed"] is True


def test_publish_that_the_disk_refuses_keeps_what_readers_see(site: Site) -> None:
    site.release("1")
    site.add("2", seed=2)
    words = ["prlimit", "--fsize=1100", *PROGRAM, "publish", "--repo", str(site.repo)]
    done = subprocess.run(
        [*words, "--keys", site.keys], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == os.EX_IOERR
    paths = site.client().fetch_all(site.repo)
    assert "edge/1/profile.yaml" in paths
    assert "edge/2/profile.yaml" not in paths
    site.run("publish")
    assert "edge/2/profile.yaml" in site.known_client("client").fetch_all(site.repo)


# memory


def peak_rss_kib(site: Site, image: Path, version: str) -> int:
    """Peak memory of one `add`, by the kernel's own count."""
    script = (
        "import resource, sys; from orchestrator_stub.release.main import main\n"
        "assert main(sys.argv[1:]) == 0\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )
    words = ["--profile", "edge", "--version", version, "--level", "3", "--threads", "2"]
    done = subprocess.run(
        [sys.executable, "-c", script, "add", image, "--repo", site.repo, *words],
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return int(done.stdout.splitlines()[-1])


def test_add_memory_does_not_grow_with_the_image(site: Site) -> None:
    small, large = site.folder / "small.img", site.folder / "large.img"
    for path, size in ((small, 16 * MIB), (large, 512 * MIB)):
        with path.open("wb") as file:
            file.write(os.urandom(8 * MIB))
            file.truncate(size)
    before = peak_rss_kib(site, small, "1")
    assert peak_rss_kib(site, large, "2") - before < 16 * 1024
    site.run("publish")
    [made] = (site.repo / "targets/edge/2").glob("*.raw.zst")
    listing = subprocess.run(["zstd", "-lv", made], capture_output=True, text=True, check=True)
    assert f"({512 * MIB} B)" in listing.stdout


def test_add_memory_of_a_delta_does_not_grow_with_the_image(site: Site) -> None:
    noise = os.urandom(8 * MIB)
    peaks = []
    for number, size in enumerate((16 * MIB, 160 * MIB)):
        old, new = site.folder / "old.img", site.folder / "new.img"
        for path, content in ((old, noise), (new, noise[:MIB] + b"new" + noise[MIB:])):
            path.write_bytes(content)
            os.truncate(path, size)
        site.run("add", old, "--profile", "edge", "--version", f"{number}.1", "--level", "1")
        site.run("publish")
        peaks.append(peak_rss_kib(site, new, f"{number}.2"))
        staged = site.repo / f"unpublished/releases/edge/{number}.2"
        assert sum(path.stat().st_size for path in staged.glob("*.dzst*")) < MIB
        site.run("withdraw", f"{number}.1", "--reason", "the next one has one base as well")
    assert peaks[1] - peaks[0] < 40 * 1024


# what people read


def test_program_says_what_comes_next_at_each_step(bare_site: Site) -> None:
    keys: list[str | Path] = ["--keys", bare_site.keys]
    image = bare_site.image(size=5000)
    made = program(bare_site, "init", *keys).stdout
    assert "1.root.json" in made
    assert "`publish` once a year" in made
    assert "root: 2 of 3 must sign" in made
    assert "puad-release publish" in program(bare_site, "add", image, *RELEASE).stdout
    assert "Nothing to do" in program(bare_site, "add", image, *RELEASE).stdout
    assert "Published edge 1" in program(bare_site, "publish", *keys).stdout
    assert "Nothing to do" in program(bare_site, "publish", *keys).stdout
    assert "destroy these files:" in program(bare_site, "rotate", "snapshot", *keys).stdout
    stick = bare_site.folder / "stick"
    assert f"to {stick}" in program(bare_site, "export", stick, *keys).stdout
    done = program(bare_site, "withdraw", "1", "--reason", "x", *keys)
    assert "Withdrew edge 1 for all nodes; no `publish` is needed." in done.stdout
    done = program(bare_site, "withdraw", "1", "--reason", "x", "--delete", *keys)
    assert "Deleted its files" in done.stdout
    assert program(bare_site, "publish", "--refresh", *keys).stderr == ""


def test_withdraw_texts_of_staged_and_withdrawn_before(site: Site) -> None:
    site.add("1")
    site.add("1.1")
    text = answer_text("withdraw", site.run("withdraw", "1", "--reason", "x"))
    assert text == "Removed edge 1 from the staged releases."
    site.release("2")
    assert site.run("withdraw", "2", "--reason", "it broke")["reason"] == "it broke"
    text = answer_text("withdraw", site.run("withdraw", "2", "--reason", "another"))
    assert text == "Nothing to do: edge 2 was withdrawn before: it broke"


def test_add_progress_is_shown_when_asked_and_quiet_off_a_terminal(site: Site) -> None:
    image = site.image(size=4 * MIB)
    done = program(site, "add", image, *RELEASE, "--progress")
    assert "compressing: 100%" in done.stderr
    assert "4.00M/4.00M" in done.stderr
    assert program(site, "add", image, *RELEASE).stderr == ""
    site.run("publish")
    done = program(site, "add", image, *RELEASE[:3], "2", *RELEASE[4:], "--progress")
    assert "checking 1: 100%" in done.stderr
    assert "delta from 1: 100%" in done.stderr


def test_error_is_one_sentence_and_a_hint_on_stderr_and_json_with_json(site: Site) -> None:
    done = program(site, "add", site.folder / "absent.img", *RELEASE)
    assert done.returncode == os.EX_DATAERR
    assert done.stdout == ""
    first, *more = done.stderr.splitlines()
    assert first.startswith("puad-release: ")
    assert first.endswith(f"cannot be read: No such file or directory ({site.folder}/absent.img)")
    assert all(line.startswith("hint: ") for line in more)
    as_json = program(site, "add", site.folder / "absent.img", *RELEASE, "--json")
    assert as_json.stderr == done.stderr
    document = json.loads(as_json.stdout)
    assert document["schema"] == site.run("status")["schema"] == 1
    assert set(document["error"]) == {"code", "what", "on", "text", "hint", "exit_code"}
    assert document["error"]["text"] == first.removeprefix("puad-release: ")
    assert document["error"]["exit_code"] == os.EX_DATAERR


def test_bug_is_exit_code_70_with_its_trace(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(commands, "publish", stumble)
    error = site.run("publish", expect=os.EX_SOFTWARE)["error"]
    assert (error["code"], error["what"]) == ("internal", "ZeroDivisionError: of all things")


@pytest.mark.parametrize(
    "words",
    [
        ["publish"],
        ["withdraw", "9", "--reason", "none"],
        ["rotate", "timestamp"],
        ["export", "out", "--profile", "edge", "--version", "9"],
    ],
)
def test_keys_folder_that_is_not_there_is_told_even_when_no_key_is_needed(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    absent = tmp_path / "absent"
    assert main([*words, "--repo", str(site.repo), "--keys", str(absent)]) == os.EX_NOPERM
    assert f"there is no keys folder here ({absent})" in capsys.readouterr().err


def test_reader_that_goes_away_is_exit_code_74_and_no_trace(site: Site) -> None:
    theirs, ours = os.pipe()
    os.close(theirs)
    done = subprocess.run(
        [*PROGRAM, "status", "--repo", site.repo],
        stdout=ours,
        stderr=subprocess.PIPE,
        check=False,
        timeout=PATIENCE_S,
    )
    os.close(ours)
    assert (done.returncode, done.stderr) == (os.EX_IOERR, b"")


@pytest.mark.parametrize("words", [["status"], ["status", "--json"], ["--help"]])
def test_output_on_a_full_disk_is_exit_code_74_and_no_trace(site: Site, words: list[str]) -> None:
    repo: list[str | Path] = ["--repo", site.repo] if "status" in words else []
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [*PROGRAM, *words, *repo],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=PATIENCE_S,
        )
    what = b"puad-release: the output cannot be written: No space left on device\n"
    assert (done.returncode, done.stderr) == (os.EX_IOERR, what)


def test_repository_of_another_user_is_no_bug_and_says_whose_it_is() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        site = Site(folder)
        site.run("init")
        os.seteuid(NOBODY)
        try:
            error = site.run("status", keys=False, expect=os.EX_IOERR)["error"]
        finally:
            os.seteuid(0)
    assert "Permission denied" in error["what"]
    assert error["hint"] == "Run it as the user to whom the repository belongs."


def test_status_lists_versions_in_their_order(site: Site) -> None:
    for seed, version in enumerate(("3.10", "3.9", "20", "3.2"), start=1):
        site.add(version, seed=seed)
    staged = [one["version"] for one in site.run("status")["staged"]]
    assert staged == ["3.2", "3.9", "3.10", "20"]


def test_status_text_fits_80_columns_and_shows_everything(site: Site) -> None:
    site.release("1")
    site.run("withdraw", "1", "--reason", "it eats disks, " * 12)
    site.release("3.0.20250717.0732", profile="microvisor-nonrt", seed=2)
    site.add("2", seed=3)
    report = site.run("status")
    report["repository"] = "/srv/release"
    report["root_json"] = "/srv/release/metadata/1.root.json"
    text = render_report(report)
    assert max(map(len, text.splitlines())) < 80
    for words in ("timestamp", "2 of 3 must sign", "microvisor-nonrt 3.0.20250717.0732", "edge 2"):
        assert words in text
    assert "WARNING" not in text


def test_status_warns_of_what_expires_soon_or_has(bare_site: Site) -> None:
    commands.init(bare_site.publisher(), plan_roles([], [], []))
    now = bare_site.now + timedelta(days=6)
    report = commands.status(bare_site.layout, None, now)
    freshness = {role["role"]: role["freshness"] for role in report["roles"]}
    assert freshness == {
        "root": "good",
        "targets": "good",
        "snapshot": "near",
        "timestamp": "expired",
    }
    report["repository"] = report["root_json"] = ""
    text = render_report(report)
    assert max(map(len, text.splitlines())) < 80
    assert "WARNING: snapshot expires soon" in text
    assert "WARNING: timestamp has expired" in text


def test_add_warns_in_lines_that_fit_of_a_release_without_boot_files(site: Site) -> None:
    text = answer_text("add", site.add("2026.11.23"))
    assert "WARNING: the release has no boot file" in text
    assert max(map(len, text.splitlines())) < 80


def test_status_names_keys_that_are_not_here(site: Site) -> None:
    [path] = site.keys.glob("targets-*")
    path.unlink()
    keys = {role["role"]: role["keys"] for role in site.run("status")["roles"]}
    assert [key["present"] for key in keys["targets"]] == [False]
    assert "not here" in render_report(site.run("status"))


# usage


@pytest.mark.parametrize(
    "words",
    [
        ["add", "x.img", "--repo", "r", "--version", "1"],
        ["add", "x.img", "--repo", "r", "--profile", "p"],
        ["add", "x.img", "--repo", "r", "--profile", "p", "--version", "1", "--level", "23"],
        ["add", "x.img", "--repo", "r", "--profile", "p", "--version", "1", "--threads", "0"],
        ["add", "x.img", "--repo", "r", "--profile", "p", "--version", "1", "--built-at", "now"],
        ["publish", "--repo", "r"],
        ["publish", "--keys", "k"],
        ["withdraw", "1", "--repo", "r", "--keys", "k"],
        ["rotate", "mirror", "--repo", "r", "--keys", "k"],
        ["sign"],
        [],
    ],
)
def test_main_wrong_usage_is_exit_code_64(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == os.EX_USAGE
    assert "usage: puad-release" in capsys.readouterr().err


def test_rotate_of_no_role_lists_the_roles(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["rotate", "mirror", "--repo", "r", "--keys", "k"])
    assert caught.value.code == os.EX_USAGE
    told = capsys.readouterr().err
    assert all(role.value in told.split("choose from")[1] for role in Role)
    assert "Role." not in told


def test_passphrase_file_that_is_not_there_is_named_with_its_option(site: Site) -> None:
    error = site.run("publish", "--passphrase-file", site.folder / "absent", expect=77)["error"]
    assert error["on"] == str(site.folder / "absent")
    assert "--passphrase-file" in error["hint"]


def test_main_help_of_every_command_is_success(capsys: pytest.CaptureFixture[str]) -> None:
    general = help_of(capsys)
    for command in ("init", "add", "publish", "withdraw", "rotate", "export", "status"):
        assert f"\n    {command} " in general
        assert f"usage: puad-release {command} " in help_of(capsys, command)


def help_of(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    return str(capsys.readouterr().out)


@pytest.mark.parametrize(
    "words",
    [
        ["--profile", "../etc", "--version", "1"],
        ["--profile", "edge", "--version", "1/2"],
        ["--profile", "", "--version", "1"],
        ["--profile", "edge", "--version", "é"],
        ["--profile", "edge", "--version", "1", "--min-version", "2"],
        ["--profile", "edge", "--version", "1", "--root-partuuid", "X"],
        ["--profile", "edge", "--version", "1", "--built-at", "2999-01-01T00:00:00Z"],
        ["--profile", "edge", "--version", "1", "--architecture", "x 86"],
    ],
)
def test_add_words_that_no_reader_accepts_are_refused_before_the_work(
    site: Site, words: list[str]
) -> None:
    assert site.run("add", site.image(), *words, expect=64)["error"]["code"] == "usage"
    assert not (site.repo / "unpublished/releases").exists()


def test_add_date_comes_from_source_date_epoch_or_the_image(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = site.image(size=5000)
    os.utime(image, (1_700_000_000, 1_700_000_000))
    words: list[str | Path] = [image, "--profile", "edge", "--level", "1"]
    answer = site.run("add", *words, "--version", "1")
    assert answer["release"]["built_at"] == "2023-11-14T22:13:20Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1600000000")
    answer = site.run("add", *words, "--version", "2")
    assert answer["release"]["built_at"] == "2020-09-13T12:26:40Z"
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert (
        "SOURCE_DATE_EPOCH" in site.run("add", *words, "--version", "3", expect=64)["error"]["what"]
    )


def test_commands_without_a_repository_say_so(bare_site: Site) -> None:
    bare_site.keys.mkdir()
    assert "no repository here" in bare_site.run("publish", expect=65)["error"]["what"]
    image = bare_site.image(size=5000)
    assert "no repository here" in bare_site.run("add", image, *RELEASE, expect=65)["error"]["what"]
    assert not bare_site.repo.exists()


def test_init_twice_is_refused(site: Site) -> None:
    before = sorted(path.name for path in site.keys.iterdir())
    assert "already" in site.run("init", expect=65)["error"]["what"]
    assert sorted(path.name for path in site.keys.iterdir()) == before


def test_init_with_the_keys_of_another_repository_is_refused_and_harms_neither(
    site: Site, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in site.keys.iterdir()}
    other = tmp_path / "other"
    other.mkdir()
    words = ["init", "--repo", f"{other}/repo", "--keys", f"{site.keys}", "--json"]
    assert main(words) == os.EX_DATAERR
    assert {path: path.read_bytes() for path in site.keys.iterdir()} == before
    assert not (other / "repo/metadata").exists()
    site.add("1")
    site.run("publish")


def test_init_expiry_and_threshold_of_each_role_are_as_asked(bare_site: Site) -> None:
    bare_site.run("init", "--threshold", "root=1", "--key-count", "root=2", "timestamp=2")
    roles = {role["role"]: role for role in bare_site.run("status")["roles"]}
    assert (roles["root"]["threshold"], len(roles["root"]["keys"])) == (1, 2)
    assert len(roles["timestamp"]["keys"]) == 2
