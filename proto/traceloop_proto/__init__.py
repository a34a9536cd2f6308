# SPDX-License-Identifier: Apache-2.0
"""Messages sent over sockets, and the code that protoc generates for them.

`traceloop.proto` is the interface to clients; `nri.proto` and `cri.proto` are interfaces of container engines.
`trace_message` makes the message of a trace.
"""
