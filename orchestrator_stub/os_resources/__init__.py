# SPDX-License-Identifier: Apache-2.0
"""OS resources: made of what the release service publishes, ordered, offered by policies."""

from orchestrator_stub.os_resources.images import Image, OSResources, may_be_offered

__all__ = ["Image", "OSResources", "may_be_offered"]
