# SPDX-License-Identifier: Apache-2.0
"""The configuration of a private system bus on which everybody may do everything."""

from __future__ import annotations

_CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>{listen}</listen>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
  </policy>
  {more}
</busconfig>
"""


def open_bus(listen: str, more: str = "") -> str:
    """The configuration of a bus at an address, with more elements when there are some."""
    return _CONFIG.format(listen=listen, more=more)
