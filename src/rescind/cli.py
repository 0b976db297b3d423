"""The command line: serve a node, and what only the operator of the machine may do."""

import json
import os
import signal
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rescind.terminal.commands import COMMANDS

if TYPE_CHECKING:
    from rescind.api.body import App
    from rescind.node import Node
    from rescind.settings import Settings
    from rescind.usecases.clients import FirstClient
    from rescind.usecases.keys import NewKey

_TERMINATED = 128 + signal.SIGTERM
ROOT_EMAIL_DEFAULT = "root@localhost"
DATABASE_DEFAULT = "sqlite:///rescind.db"

_database = click.option(
    "--database",
    envvar="RESCIND_DATABASE",
    default=DATABASE_DEFAULT,
    show_default=True,
    metavar="URL",
    help="sqlite:///FILE or postgresql://USER@HOST/NAME",
)
_json = click.option("--json", "as_json", is_flag=True, help="Say it in JSON, for machines.")


def _root_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say who the first root is. Secrets come by variable: arguments show in process lists."""
    command = click.option(
        "--root-email",
        envvar="RESCIND_ROOT_EMAIL",
        default=ROOT_EMAIL_DEFAULT,
        show_default=True,
        help="E-mail address of the first root. RESCIND_ROOT_PASSWORD and RESCIND_ROOT_API_KEY set her secrets.",
    )(command)
    for name in ("password", "api-key"):
        command = click.option(f"--root-{name}", envvar=f"RESCIND_ROOT_{name.upper().replace('-', '_')}", hidden=True)(
            command
        )
    return command


class _Commands(click.Group):
    """Commands whose refusals are one line, without a traceback and without a secret."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        from sqlalchemy.exc import DBAPIError

        from rescind.model.errors import Refusal

        try:
            return super().invoke(ctx)
        except Refusal as refusal:
            raise click.ClickException(refusal.message) from None
        except DBAPIError as error:
            # The driver's own words, without the statement and without the address.
            said = " ".join(str(error.orig).split())
            raise click.ClickException(f"the database cannot be used: {said}") from None


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rescind")
@click.pass_context
def main(context: click.Context) -> None:
    """Rescind takes access away so that it can be proven."""
    context.obj = _open


for _command in COMMANDS:
    main.add_command(_json(_database(_command)))


@main.command()
@_database
@click.option("--host", envvar="RESCIND_HOST", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="RESCIND_PORT", default=8480, show_default=True, type=click.IntRange(0, 65535))
@click.option("--public-url", envvar="RESCIND_PUBLIC_URL", default="", help="The address under which clients reach it.")
@click.option("--workers", envvar="RESCIND_WORKERS", default=1, show_default=True, type=click.IntRange(1, 64))
@click.option(
    "--management-process/--no-management-process",
    envvar="RESCIND_MANAGEMENT_PROCESS",
    default=True,
    show_default=True,
    help="Give each worker a second process, for management calls: so they do not hold its decisions up.",
)
@click.option("--tls", envvar="RESCIND_TLS", type=click.Choice(["auto"]), help="`auto` makes a local certificate.")
@click.option("--tls-name", envvar="RESCIND_TLS_NAME", multiple=True, help="A further name for `--tls auto`.")
@click.option("--tls-folder", envvar="RESCIND_TLS_FOLDER", default="rescind-tls", type=click.Path(path_type=Path))
@click.option("--tls-cert", envvar="RESCIND_TLS_CERT", type=click.Path(exists=True, dir_okay=False))
@click.option("--tls-key", envvar="RESCIND_TLS_KEY", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--trusted-proxies",
    envvar="RESCIND_TRUSTED_PROXIES",
    default="",
    help="Addresses, comma-separated, whose X-Forwarded-For is believed.",
)
@click.option(
    "--wire-faithful-grants",
    "faithful_grants",
    envvar="RESCIND_WIRE_FAITHFUL_GRANTS",
    is_flag=True,
    help="Let members grant what they do not hold, as the systems that are emulated do.",
)
@click.option(
    "--private-addresses",
    envvar="RESCIND_PRIVATE_ADDRESSES",
    is_flag=True,
    help="Take private addresses too into the allow-lists of users, for a server inside a network.",
)
@click.option(
    "--smtp-url",
    envvar="RESCIND_SMTP_URL",
    default="",
    metavar="URL",
    help="smtp[s]://[USER:PASSWORD@]HOST[:PORT]: the server that sends invitations. Best given by variable.",
)
@click.option("--mail-from", envvar="RESCIND_MAIL_FROM", default="", help="The address that mail is sent from.")
@_root_options
def serve(
    *,
    tls: str | None,
    tls_name: tuple[str, ...],
    tls_folder: Path,
    root_email: str,
    root_password: str | None,
    root_api_key: str | None,
    **options: Any,
) -> None:
    """Serve a node; an empty database is initialised first."""
    from rescind.environment import forget
    from rescind.logs import configure_logs
    from rescind.settings import Settings

    # Whoever started this may have had it ignored, and then nobody would be told of the end of a child.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if bool(options["tls_cert"]) != bool(options["tls_key"]):
        raise click.UsageError("--tls-cert and --tls-key belong together")
    if tls == "auto":
        from rescind.certificates import local_certificate

        files = local_certificate(tls_folder, tls_name)
        options["tls_cert"], options["tls_key"] = str(files.certificate), str(files.key)
        click.echo(f"The local authority to trust: {files.authority.resolve()}", err=True)
    options |= {name: options[name] or "" for name in ("tls_cert", "tls_key")}
    settings = Settings(**options)
    _check_certificate(settings)
    configure_logs()
    client = _first_client()
    # Processes that come from here must not inherit them.
    forget("RESCIND_ROOT_PASSWORD", "RESCIND_ROOT_API_KEY", "RESCIND_AUTH0_CLIENT_SECRET")
    with _counted_together(settings) as orders, _beginning(settings) as create:
        node = _open(settings, migrate_empty=True)
        _initialise(node, settings, root_email, root_password, root_api_key, client=client)
        node.store.close()
        if orders:
            sys.exit(_TERMINATED)
        _run(settings, create)


def _check_certificate(settings: "Settings") -> None:
    """Refuse one that cannot be used before anything is written or started."""
    if settings.tls_cert:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(settings.tls_cert, settings.tls_key)
        except OSError as error:
            raise click.ClickException(f"cannot use {settings.tls_cert} with {settings.tls_key}: {error}") from None


@contextmanager
def _beginning(settings: "Settings") -> "Iterator[Callable[[], App]]":
    """What each process of the node serves. Where others are forked from is there before anything is opened."""
    from rescind import app
    from rescind.fork_server import ForkServer

    app.prepare()
    if not settings.management_process:
        yield partial(app.create, settings)
        return
    with ForkServer(partial(app.manage, settings)) as forks:
        yield partial(app.create, settings, forks)


@contextmanager
def _counted_together(settings: "Settings") -> Iterator[list[int]]:
    """Let each of several processes write its numbers to a file of its own, before anything imports the metrics.

    SIGTERM ends the process as if it was not looked at, but not before the files are gone. Once it has come it is in
    the list, too: where Python calls back into Python what is raised may be lost.
    """
    import tempfile

    orders: list[int] = []
    if settings.workers == 1 and not settings.management_process:
        yield orders
        return

    def end(number: int, _: Any) -> None:
        signal.signal(number, signal.SIG_IGN)
        orders.append(number)
        sys.exit(_TERMINATED)

    signal.signal(signal.SIGTERM, end)
    try:
        with ExitStack() as stack:
            try:
                folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="rescind-metrics-"))
            except OSError:
                click.echo("No temporary folder can be made: /metrics tells the numbers of one process.", err=True)
            else:
                os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
            yield orders
    except SystemExit as ended:
        if ended.code != _TERMINATED:
            raise
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.raise_signal(signal.SIGTERM)


def _run(settings: "Settings", create: "Callable[[], App]") -> None:
    import uvicorn
    from uvicorn.config import STARTUP_FAILURE

    from rescind.workers import Workers, listeners

    click.echo(f"Rescind on {settings.reached_at}", err=True)
    how: dict[str, Any] = {
        "factory": True,
        "host": settings.host,
        "port": settings.port,
        "workers": settings.workers,
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "ssl_certfile": settings.tls_cert or None,
        "ssl_keyfile": settings.tls_key or None,
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": settings.trusted_proxies or None,
        "server_header": False,
        "date_header": True,
        "access_log": False,
        "log_level": "warning",
        "timeout_keep_alive": 75,
        "timeout_graceful_shutdown": 30,
    }
    if settings.workers == 1:
        uvicorn.run(create, **how)
        return
    with ExitStack() as stack:
        try:
            sockets = stack.enter_context(listeners(settings.host, settings.port, settings.workers))
        except OSError as error:
            raise click.ClickException(
                f"cannot listen on {settings.host}, port {settings.port}: {error.strerror}"
            ) from None
        workers = Workers(uvicorn.Config(create, **how), sockets)
        workers.run()
    if any(process.exitcode == STARTUP_FAILURE for process in workers.processes):
        sys.exit(STARTUP_FAILURE)


@main.command()
@_database
@_root_options
@_json
def init(database: str, root_email: str, root_password: str | None, root_api_key: str | None, as_json: bool) -> None:
    """Initialise an empty database and show the first root's API key once."""
    from rescind.settings import Settings

    settings = Settings(database=database)
    node = _open(settings, migrate_empty=True)
    made = _initialise(node, settings, root_email, root_password, root_api_key, client=_first_client(), quiet=as_json)
    if as_json:
        shown = {"api_key": made.secret} if made and not root_api_key else {}
        click.echo(json.dumps({"initialised": made is not None, **shown}))
    elif made is None:
        click.echo("The database was initialised before; nothing was changed.", err=True)
    else:
        click.echo("The database is initialised.", err=True)


@main.command()
@_database
@_json
def migrate(database: str, as_json: bool) -> None:
    """Bring the database to this version's schema."""
    from rescind.store.contract import SCHEMA_VERSION
    from rescind.store.engines import engine_for
    from rescind.store.migrate import migrate as bring

    before, after = bring(engine_for(database))
    if after > SCHEMA_VERSION:
        raise click.ClickException(f"schema version {after} is newer than this program: install a newer one")
    if as_json:
        click.echo(json.dumps({"before": before, "after": after}))
    else:
        click.echo(f"Schema version {before} → {after}." if before != after else f"Schema version {after} already.")


@main.command()
@_database
@_json
def verify(database: str, as_json: bool) -> None:
    """Replay the log, compare it with the tables, and say where they part. Exits with 1 if they do."""
    from dataclasses import asdict

    from rich.console import Console
    from rich.progress import Progress

    from rescind.settings import Settings
    from rescind.store.verify import verify as replay

    node = _open(Settings(database=database))
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=as_json or not console.is_terminal) as bar:
        task = bar.add_task("Replaying the log", total=None)
        report = replay(node.store, lambda done, total: bar.update(task, completed=done, total=total))
    if as_json:
        click.echo(json.dumps({"verified": not report.difference_count, **asdict(report)}))
    else:
        for difference in report.differences:
            click.secho(difference, fg="red")
        counted = f"{report.revision} changes, {report.objects} objects, {report.intervals} intervals"
        if report.difference_count:
            click.secho(f"{report.difference_count} differences in {counted}.", fg="red", bold=True)
        else:
            click.secho(f"The log proves the tables: {counted}.", fg="green", bold=True)
            click.echo(f"Digest of revision {report.revision}: {report.digest}")
    sys.exit(1 if report.difference_count else 0)


@main.command()
@_database
@click.option(
    "--accept-loss", is_flag=True, required=True, help="The log is shorter than what was seen, and that is so."
)
@_json
def recover(database: str, accept_loss: bool, as_json: bool) -> None:
    """Let nodes answer again after the database was restored from a backup."""
    from uuid_utils import uuid7

    from rescind.settings import Settings

    assert accept_loss
    change = _open(Settings(database=database)).service.accept_loss(str(uuid7()))
    if as_json:
        click.echo(json.dumps({"revision": change.revision, "digest": change.digest}))
    else:
        click.echo(f"Accepted: the log goes on from revision {change.revision}. Running nodes follow by themselves.")


@main.group()
def root() -> None:
    """See who owns each organization, hand ownership on, make a root a new key."""


@root.command("show")
@_database
@_json
def root_show(database: str, as_json: bool) -> None:
    """List the organizations with their roots."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from rescind.settings import Settings
    from rescind.usecases import platform

    ownerships = _open(Settings(database=database)).service.inspect(platform.ownerships).result
    rows = [
        {
            "organization": owned.organization.organization.id,
            "name": owned.organization.name,
            "root": user.user.id if user else None,
            "email": user.email if user else None,
        }
        for owned in ownerships
        for user in owned.roots or (None,)
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    # Ids are there to be copied whole; two of them stand side by side in a narrow terminal.
    table = Table(Column("Organization", min_width=36), Column("Root", min_width=36), show_lines=True)
    for row in rows:
        # People choose these names: they are text, not markup.
        table.add_row(
            Text(f"{row['name']}\n{row['organization']}"), Text(f"{row['email'] or 'nobody'}\n{row['root'] or ''}")
        )
    Console().print(table)


@root.command("transfer")
@_database
@click.argument("organization")
@click.argument("user")
@_json
def root_transfer(database: str, organization: str, user: str, as_json: bool) -> None:
    """Make the member USER the one root of ORGANIZATION (both by id)."""
    from uuid_utils import uuid7

    from rescind.settings import Settings
    from rescind.usecases import platform

    service = _open(Settings(database=database)).service
    answer = service.operate("root", str(uuid7()), platform.transfer_root, organization=organization, user=user)
    if as_json:
        click.echo(json.dumps({"revision": answer.moment.revision, "changed": answer.change is not None}))
    else:
        click.echo(f"{user} is root from revision {answer.moment.revision} on.")


@root.command("key")
@_database
@click.argument("organization")
@click.argument("user")
@_json
def root_key(database: str, organization: str, user: str, as_json: bool) -> None:
    """Make a new API key for USER, who is root of ORGANIZATION (both by id), and show it once."""
    from uuid_utils import uuid7

    from rescind.settings import Settings
    from rescind.usecases import platform

    settings = Settings(database=database)
    service = _open(settings).service
    answer = service.operate("root", str(uuid7()), platform.new_root_key, organization=organization, user=user)
    if as_json:
        click.echo(json.dumps({"id": answer.result.id, "api_key": answer.result.secret}))
    else:
        _hand_out(answer.result, settings)


@main.group()
def clients() -> None:
    """Make clients of the Management API, which is at `/api/v2` of this server."""


@clients.command("create")
@_database
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, help="A scope it may have; repeat for more. All of them if none is said."
)
@_json
def clients_create(database: str, name: str, scopes: tuple[str, ...], as_json: bool) -> None:
    """Make a machine-to-machine client and show its secret."""
    from uuid_utils import uuid7

    from rescind.settings import Settings
    from rescind.usecases import platform
    from rescind.usecases.clients import FirstClient

    service = _open(Settings(database=database)).service
    client = service.operate(
        "clients", str(uuid7()), platform.new_client, first=FirstClient(name), scopes=scopes or None
    ).result
    secret = service.inspect(platform.client_secret, client).result
    if as_json:
        click.echo(json.dumps({"client_id": client, "client_secret": secret}))
    else:
        click.echo(f"client_id:     {client}\nclient_secret: {secret}")


@clients.command("list")
@_database
@_json
def clients_list(database: str, as_json: bool) -> None:
    """List the clients, without their secrets."""
    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from rescind.settings import Settings
    from rescind.usecases import clients as cases

    found = _open(Settings(database=database)).service.inspect(cases.every).result
    if as_json:
        rows = [{"client_id": one.public_id, "name": one.name, "grant_types": one.grant_types} for one in found]
        click.echo(json.dumps(rows))
        return
    table = Table(Column("Client", min_width=32), "Name", "Grant types")
    for one in found:
        # People choose these names: they are text, not markup.
        table.add_row(one.public_id, Text(one.name), Text("\n".join(one.grant_types)))
    Console().print(table)


@main.group()
def keys() -> None:
    """The keys that tokens are signed with."""


@keys.command("rotate")
@_database
@_json
def keys_rotate(database: str, as_json: bool) -> None:
    """Sign with a new key from now on; the old one stays published until its tokens have expired."""
    from uuid_utils import uuid7

    from rescind.settings import Settings
    from rescind.usecases import signing_keys

    service = _open(Settings(database=database)).service
    answer = service.operate("keys", str(uuid7()), signing_keys.rotate, signing_keys.new_pair())
    published = [key["kid"] for key in service.inspect(signing_keys.published).result]
    if as_json:
        click.echo(json.dumps({"revision": answer.moment.revision, "signs": published[0], "published": published}))
    else:
        click.echo(f"{published[0]} signs from revision {answer.moment.revision} on.")


@main.group()
def invitations() -> None:
    """See who was invited and has not answered, and hand out links where no mail is sent."""


@invitations.command("list")
@_database
@_json
def invitations_list(database: str, as_json: bool) -> None:
    """List the invitations that wait for an answer."""
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.table import Column, Table
    from rich.text import Text

    from rescind.settings import Settings
    from rescind.usecases import invitations as cases

    pending = _open(Settings(database=database)).service.inspect(cases.pending).result
    rows = [
        {
            "id": found.invitation.id,
            "email": found.email,
            "organization": found.organization_id,
            "name": found.organization_name,
            "expires": datetime.fromtimestamp(found.expires_at // 1_000_000, UTC).isoformat(),
            "expired": found.has_expired,
        }
        for found in pending
    ]
    if as_json:
        click.echo(json.dumps(rows))
        return
    table = Table(Column("Invitation", min_width=36), Column("Valid until", min_width=25), show_lines=True)
    for row in rows:
        # People choose these names: they are text, not markup.
        until = Text(f"{row['expires']}", style="green")
        if row["expired"]:
            until = Text(f"{row['expires']}\nexpired", style="red")
        table.add_row(Text(f"{row['email']}\n{row['name']}\n{row['id']}"), until)
    Console().print(table)


@invitations.command("link")
@_database
@click.option(
    "--public-url",
    envvar="RESCIND_PUBLIC_URL",
    default="http://127.0.0.1:8480",
    show_default=True,
    help="The address under which the invited person reaches this server.",
)
@click.argument("invitation")
@_json
def invitations_link(database: str, public_url: str, invitation: str, as_json: bool) -> None:
    """Make a fresh one-time link for INVITATION (by id), valid for three days; an older one ends."""
    from uuid_utils import uuid7

    from rescind.api.mail import Mail
    from rescind.settings import Settings
    from rescind.usecases import invitations as cases

    if not public_url.startswith(("http://", "https://")):
        raise click.UsageError("--public-url begins with http:// or https://")
    service = _open(Settings(database=database)).service
    made = service.operate("invitations", str(uuid7()), cases.link, invitation=invitation).result
    assert made.token is not None
    link = Mail(public_url).link(made.token)
    click.echo(json.dumps({"invitation": made.id, "link": link}) if as_json else link)


def _open(settings: "Settings", *, migrate_empty: bool = False) -> "Node":
    """A node on the database, which must have this version's schema; an empty one may be given it."""
    from rescind.node import build
    from rescind.store.contract import SCHEMA_VERSION
    from rescind.store.engines import engine_for
    from rescind.store.migrate import migrate, schema_version

    file = settings.database.removeprefix("sqlite:///")
    if file != settings.database and not migrate_empty and not Path(file).exists():
        # To look must not make one.
        raise click.ClickException(f"there is no database at {Path(file).resolve()}: `rescind init` makes one")
    engine = engine_for(settings.database)
    found = schema_version(engine)
    if found == 0 and migrate_empty:
        found = migrate(engine)[1]
    engine.pool.dispose()
    if found == 0:
        raise click.ClickException("the database is empty: `rescind init` or `rescind serve` initialises it")
    if found < SCHEMA_VERSION:
        raise click.ClickException(f"schema version {found} is older than this program's: run `rescind migrate`")
    if found > SCHEMA_VERSION:
        raise click.ClickException(f"schema version {found} is newer than this program: install a newer one")
    return build(settings)


def _initialise(
    node: "Node",
    settings: "Settings",
    email: str,
    password: str | None,
    api_key: str | None,
    *,
    client: "FirstClient | None",
    quiet: bool = False,
) -> "NewKey | None":
    """Fill the database if it never was, and let the operator have the first key once."""
    import secrets

    from uuid_utils import uuid7

    from rescind.usecases.platform import FirstRoot, complete, initialise, is_complete
    from rescind.usecases.signing_keys import check_seals, new_pair

    if node.store.head().revision:
        if not node.service.inspect(is_complete).result:
            node.service.operate("init", str(uuid7()), complete, new_pair(), client)
        node.service.inspect(check_seals)
        return None
    first = FirstRoot(email, password or secrets.token_urlsafe(16), api_key or None)
    made = node.service.operate("init", str(uuid7()), initialise, first, new_pair(), client).result
    if made is not None and not api_key and not quiet:
        _hand_out(made, settings)
    return made


def _first_client() -> "FirstClient | None":
    """The machine-to-machine client that the environment asks for."""
    from rescind.usecases.clients import FirstClient

    id_, secret = (os.environ.get(f"RESCIND_AUTH0_CLIENT_{name}") for name in ("ID", "SECRET"))
    if not id_ and not secret:
        return None
    if not id_ or not secret:
        raise click.UsageError("RESCIND_AUTH0_CLIENT_ID and RESCIND_AUTH0_CLIENT_SECRET belong together")
    return FirstClient("First client", id_, secret)


def _hand_out(key: "NewKey", settings: "Settings") -> None:
    """Show a key to whoever sits at the terminal; without one, write it to a file that the owner alone can read."""
    if sys.stderr.isatty():
        click.secho(f"API key of root, shown this once: {key.secret}", fg="yellow", err=True)
        return
    from rescind.certificates import write_secret

    prefix = "sqlite:///"
    folder = Path(settings.database.removeprefix(prefix)).parent if settings.database.startswith(prefix) else Path()
    file = folder / "rescind-root-key"
    write_secret(file, f"{key.secret}\n".encode())
    click.echo(f"API key of root, in a file for you alone: {file.resolve()}", err=True)
