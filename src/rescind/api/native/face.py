"""The table of `/v1`."""

from rescind.api.door import Door
from rescind.api.exchange import Operation
from rescind.api.native import changes
from rescind.api.native.manners import MANNERS
from rescind.usecases import history
from rescind.usecases.requirements import Acting, needs

_READ_LOG = needs("iam.change.List", on="organization", acting=Acting.HERE)

# fmt: off
OPERATIONS = (
    Operation(0, "GET", "/v1/changes", history.page, _READ_LOG, changes.list_changes, 200, changes.Changes),
    Operation(0, "GET", "/v1/changes/{revision}", history.get, _READ_LOG, changes.get_change, 200, changes.Change),
)
# fmt: on

DOOR = Door("Rescind", "/v1", OPERATIONS, MANNERS)
