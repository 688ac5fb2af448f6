# SPDX-License-Identifier: Apache-2.0
"""The records as the REST API shows them: names and enum words of protocol.md §3b, §4 and §5.

The classes carry the original's names into the OpenAPI document. A field that refers to nothing is
left out. What only we have is said in docs/orchestrator.md.
"""

from orchestrator_stub.rest.documents.hosts import (
    HostResource,
    InstanceResource,
    host,
    instance,
)
from orchestrator_stub.rest.documents.instances import InstanceSummary
from orchestrator_stub.rest.documents.locations import (
    RegionResource,
    SiteResource,
    region,
    site,
)
from orchestrator_stub.rest.documents.operating_systems import (
    OperatingSystemResource,
    OperatingSystemSummary,
    operating_system,
)
from orchestrator_stub.rest.documents.policies import OSUpdatePolicy, policy
from orchestrator_stub.rest.documents.rollouts import RolloutResource, rollout
from orchestrator_stub.rest.documents.runs import OSUpdateRun, run
from orchestrator_stub.rest.documents.schedules import (
    RepeatedScheduleResource,
    SingleScheduleResource,
    repeated_schedule,
    single_schedule,
)

__all__ = [
    "HostResource",
    "InstanceResource",
    "InstanceSummary",
    "OSUpdatePolicy",
    "OSUpdateRun",
    "OperatingSystemResource",
    "OperatingSystemSummary",
    "RegionResource",
    "RepeatedScheduleResource",
    "RolloutResource",
    "SingleScheduleResource",
    "SiteResource",
    "host",
    "instance",
    "operating_system",
    "policy",
    "region",
    "repeated_schedule",
    "rollout",
    "run",
    "single_schedule",
    "site",
]
